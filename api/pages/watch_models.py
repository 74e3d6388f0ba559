"""What those see who watch and never treat: the state's counts with small cells hidden, the operator's health.

Comes in: counts, offsets, dead letters without content. Goes out: template models. Must never hold a person.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from api.pages import marks, when
from api.pages.cells import published
from api.pages.show import Model, Show, View
from referrals.words import ReferralStatus


def state(
    show: Show, county: Mapping[str, int], domain: Mapping[str, int], status: Mapping[str, int]
) -> Model:
    """Three tables of counts, each safe to publish beside the others."""
    text = show.text
    tables = (
        (
            "state.by-county",
            "state.county",
            {c.title() or text("state.unknown"): n for c, n in county.items()},
        ),
        ("state.by-domain", "mco.need", {text.label("domains", d): n for d, n in domain.items()}),
        ("state.by-status", "mco.status", {text.of("status", s): n for s, n in status.items()}),
    )
    made = [
        _table(text(title), text(first), text("mco.referrals"), counts) for title, first, counts in tables
    ]
    lone = any(t["total"]["cells"] == ["–"] for t in made)
    for t in made:
        t["total"] = None if lone else t["total"] | {"name": text("state.total")}
    shown = made if any(county.values()) else []
    return {"title": text("state.heading"), "live": True, "tables": shown}


def _table(title: str, first: str, second: str, counts: Mapping[str, int]) -> Model:
    cells, total = published(counts)
    ordered = sorted(counts, key=lambda name: (-counts[name] if counts[name] > 10 else 0, name))
    rows = [{"name": name, "cells": [cells[name]]} for name in ordered]
    return {"title": title, "headings": [first, second], "rows": rows, "total": {"cells": [total]}}


def operator(
    show: Show,
    progress: Iterable[View],
    relay: Mapping[str, int],
    dead: Iterable[View],
    counts: tuple[int, int],
    statuses: Mapping[str, int],
    overdue: int,
) -> Model:
    """How the exchange runs; `relay` = facts recorded and published, `counts` = dead letters and parked records."""
    dead_count, parked = counts
    text = show.text
    rows = list(progress)
    last = max((p["updated_at"] for p in rows), default=None)
    moved = when.moment(text, last, show.now)
    behind = relay["recorded"] - relay["published"]
    in_order = [(s, statuses[s]) for s in ReferralStatus if s in statuses]
    return {
        "title": text("operator.heading"),
        "live": True,
        "tiles": [
            _tile(
                show,
                "operator.events",
                relay["recorded"],
                True,
                text("operator.last", when=moved["relative"]) if moved else text("operator.never"),
            ),
            _tile(show, "operator.relay", behind, behind < 1000, text("operator.relay-text")),
            _tile(
                show,
                "operator.dead",
                dead_count,
                dead_count == 0,
                text("operator.dead-some" if dead_count else "operator.no-dead"),
            ),
            _tile(
                show,
                "operator.parked",
                parked,
                parked == 0,
                text("operator.parked-some" if parked else "operator.no-dead"),
            ),
            _tile(show, "operator.deadlines", overdue, overdue == 0, text("operator.deadlines-text")),
        ],
        "statuses": [{"status": marks.status(text, s), "count": n} for s, n in in_order],
        "progress": _topics(show, rows),
        "dead": [dict(d) | {"at": when.moment(text, d["at"], show.now)} for d in dead],
    }


def _topics(show: Show, rows: list[View]) -> list[Model]:
    """One row per topic: the next offset of each partition in order, and when the last of them moved."""
    made: dict[str, list[View]] = {}
    for row in rows:
        made.setdefault(str(row["topic"]), []).append(row)
    return [
        {
            "topic": topic,
            "offsets": [p["next_offset"] for p in sorted(parts, key=lambda p: int(p["partition"]))],
            "moved": when.moment(show.text, max(p["updated_at"] for p in parts), show.now),
        }
        for topic, parts in made.items()
    ]


def _tile(show: Show, key: str, value: Any, fine: bool, said: str) -> Model:
    tone, icon, word = ("go", "check", "health.ok") if fine else ("bad", "alert", "health.look")
    mark = {"code": word, "tone": tone, "icon": icon, "word": show.text(word)}
    return {"title": show.text(key), "value": value, "mark": mark, "text": said}
