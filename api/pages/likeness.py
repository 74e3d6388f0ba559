"""Why two records look like one person: the fields that agree, in words; the values stay with their senders.

Comes in: a fact that names fields (`same`, `alike`, `differing`) and a score. Goes out: sentences. Pure.
"""

from api.pages.show import Show, View


def said(show: Show, data: View) -> list[str]:
    """One sentence for each group of fields, and the score."""
    told = []
    for part in ("same", "alike", "differing"):
        if names := data.get(part):
            fields = ", ".join(show.text.of("field", str(name)) for name in names)
            told.append(show.text(f"likeness.{part}", fields=fields))
    return [*told, show.text("likeness.score", score=data.get("score", 0))]
