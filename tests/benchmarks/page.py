"""build/bench/*.json -> docs/benchmarks.md and an SVG for each: `python -m tests.benchmarks.page`.

Comes in: what runs have kept. Goes out: the page, whole, from those files alone; a figure is never typed in by hand.
"""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.figures import FOLDER

DOCS = Path("docs")
Rows = Sequence[Mapping[str, Any]]


class Part(NamedTuple):
    """How one benchmark is presented: what it shows, which columns name a bar, which one is its length."""

    title: str
    text: str
    names: tuple[str, ...]
    value: str


PARTS = {
    "engine": Part(
        "The engine alone",
        "The same minimal rows, the same topic, broker and database; ratios are within one round.",
        ("contestant",),
        "records_per_second",
    ),
    "step": Part(
        "The full exchange step",
        "Rules, routing, hops, history, deadlines and deliveries, against the limit that writes the same rows.",
        ("contestant",),
        "records_per_second",
    ),
    "latency": Part(
        "Publish to visible, open loop",
        "Half new referrals, a quarter accepted, a quarter completed, each measured from when it was due (ms): until "
        "GET as its sender shows it, or until its fact arrives at the sender's stream. `blur` is what the HTTP probe "
        "cannot tell apart: from its last look that missed to the answer that showed it; nothing is subtracted. "
        "`acked` is when the broker had it. The last columns are CPU seconds while events were due, `others` of "
        "what else ran on the machine; `unseen` were not shown before the probe gave up, or came behind an overflow "
        "of the stream.",
        ("door", "rate"),
        "p99",
    ),
    "traffic": Part(
        "A busy state for minutes",
        "Simulated clinics, plans and community organizations; probes from due to shown by GET, in ms.",
        ("referrals a minute",),
        "p99",
    ),
    "workers": Part(
        "Two workers against one",
        "A backlog applied by the exchange as a whole: rules, Postgres, relays, deliveries; CPU seconds meanwhile.",
        ("workers", "round"),
        "events/s",
    ),
    "recovery": Part(
        "After kill -9 of a worker under load",
        "Seconds from the kill until its successor applies something, and until lag has been at its highest.",
        ("kill",),
        "lag falls after s",
    ),
    "memory": Part(
        "Memory of a worker",
        "Resident MB, sampled every second; the slope is over what follows the first quarter.",
        ("what",),
        "most MB",
    ),
    "rebuild": Part(
        "Rebuild",
        "`refex rebuild --into S --verify`: every projection anew from history, compared row by row.",
        ("facts",),
        "seconds",
    ),
}


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole document; parts in the order of PARTS, then whatever else was measured."""
    places = {part.title: number for number, part in enumerate(PARTS.values())}
    order = sorted(found, key=lambda n: (places[part.title] if (part := part_of(n)) else len(places), n))
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m tests.benchmarks.page` from the JSON files that `make bench` keeps. Everything ran on",
        "one machine: broker, Postgres, exchange, load and probes share its cores, so compare ratios within a run and",
        "CPU seconds; rates are this machine's. Nothing runs with less durability than in production.",
        "",
    ]
    for name in order:
        lines += _section(name, found[name])
    return "\n".join(lines).rstrip() + "\n"


def part_of(name: str) -> Part | None:
    """How a file is presented; `rebuild-1000000` is a rebuild."""
    return PARTS.get(name.partition("-")[0])


def _section(name: str, document: Mapping[str, Any]) -> list[str]:
    part = part_of(name) or Part(name, "", (), "")
    said, rows = dict(document["environment"]), document["rows"]
    lines = [f"## {part.title}", "", *([part.text, ""] if part.text else [])]
    if goals := said.pop("goals", None):
        lines += [f"Wanted: {'; '.join(goals)}.", ""]
    lines += [*_table(rows), ""]
    if ratio := document.get("ratio"):
        shown = ", ".join(f"{k} {v}" for k, v in ratio.items())
        lines += [f"Ratio: {shown}.", ""]
    if part.value:
        lines += [f"![{part.title}: {part.value}](benchmarks/{name}.svg)", ""]
    packages = ", ".join(f"{k} {v}" for k, v in said.pop("packages", {}).items())
    where = "; ".join(f"{k} {v}" for k, v in said.items())
    took = f" It took {document['took_s']} s." if "took_s" in document else ""
    return [*lines, f"Made with: {where}; {packages}.{took}", ""]


def _table(rows: Rows) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[str(row.get(name, "")) for name in names] for row in rows]
    return [
        "| " + " | ".join(names) + " |",
        "|" + "---|" * len(names),
        *("| " + " | ".join(line) + " |" for line in cells),
    ]


def svg(title: str, bars: Sequence[tuple[str, float]]) -> str:
    """Horizontal bars in the order given."""
    most = max((value for _, value in bars), default=0) or 1
    drawn = []
    for number, (name, value) in enumerate(bars):
        y, width = 24 + number * 34, 420 * value / most
        drawn.append(f'<text x="0" y="{y + 15}">{escape(name)}</text>')
        drawn.append(f'<rect x="220" y="{y}" width="{width:.0f}" height="22" fill="#2378c3"/>')
        drawn.append(f'<text x="{228 + width:.0f}" y="{y + 15}">{value:,}</text>')
    height = 40 + 34 * len(bars)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="14">'
        f"<title>{escape(title)}</title>{''.join(drawn)}</svg>\n"
    )


def drawing(name: str, rows: Rows) -> str | None:
    """The SVG of a benchmark, None for one that PARTS does not name."""
    part = part_of(name)
    if part is None:
        return None
    bars = [
        (" ".join(f"{row[n]}" for n in part.names), row[part.value]) for row in rows if row.get(part.value)
    ]
    return svg(f"{part.title}: {part.value}", bars)


def main() -> None:
    """Write the page and the drawings."""
    found = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))
    }
    DOCS.joinpath("benchmarks").mkdir(exist_ok=True)
    DOCS.joinpath("benchmarks.md").write_text(page(found), encoding="utf-8")
    for name, document in found.items():
        if drawn := drawing(name, document["rows"]):
            DOCS.joinpath("benchmarks", f"{name}.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
