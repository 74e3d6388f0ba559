"""The funnel received -> accepted -> closed: numbers once, for the drawing and for the table beside it.

Comes in: counts. Goes out: bars with their geometry. Pure; the drawing can never show another number than the table.
"""

from collections.abc import Mapping
from typing import Any

from api.pages.text import Text

STEPS = ("received", "accepted", "closed")
WIDTH, BAR, STRIDE, LABEL = 360, 20, 54, 15


def funnel(text: Text, counts: Mapping[str, int]) -> dict[str, Any]:
    """Bars as wide as their share of what was received; `label` says the same for those who cannot see."""
    most = max((counts.get(s, 0) for s in STEPS), default=0)
    first = counts.get(STEPS[0], 0)
    bars = []
    for index, step in enumerate(STEPS):
        count, top = counts.get(step, 0), index * STRIDE
        bars.append(
            {
                "step": step,
                "label": text(f"funnel.{step}"),
                "count": count,
                "share": percent(count, first) if index and first else "",
                "width": round(WIDTH * count / most, 1) if most else 0,
                "y": top + LABEL + 6,
                "height": BAR,
                "text_y": top + LABEL,
            }
        )
    said = ", ".join(f"{b['label']}: {b['count']}" for b in bars)
    return {"width": WIDTH, "height": STRIDE * len(STEPS), "bars": bars, "label": said}


def percent(part: float, whole: float) -> str:
    """A share in whole percent; a tiny one is not shown as nothing, nor an almost-all as all."""
    if not whole:
        return ""
    share = 100 * part / whole
    if 0 < share < 1:
        return "<1%"
    return ">99%" if 99 < share < 100 else f"{share:.0f}%"
