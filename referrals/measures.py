"""Contract measures: definitions as data (data/measures.json), and pure functions over rows of facts.

Comes in: one Row per referral as known at `as_of`. Goes out: Measured values, and which referrals count where. Must
never ask a clock or a database: the same rows give the same numbers, so that a figure can be restated.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct


class Row(NamedTuple):
    """What the log said of one referral at `as_of`; None = not by then, or not any more.

    `helped_at`: when it closed with help given, by the outcome as corrected. `in_error`: it should never have been.
    """

    referral: UUID
    domain: str
    received_at: datetime
    accepted_at: datetime | None = None
    closed_at: datetime | None = None
    helped_at: datetime | None = None
    in_error: bool = False


class Mark(NamedTuple):
    """One fact that measures look at; `status` where the fact itself says how the referral ended."""

    type: str
    at: datetime
    status: str | None = None


# The type of a fact -> what it changes. Of several asked at once the losers' facts are none: nobody refused.
MARKS: dict[str, Callable[[Row, Mark], Row]] = {
    "hop-accepted": lambda row, mark: row._replace(accepted_at=row.accepted_at or mark.at),
    "hop-completed": lambda row, mark: row._replace(closed_at=mark.at, helped_at=mark.at),
    "hop-failed": lambda row, mark: row._replace(closed_at=mark.at),
    "hop-reopened": lambda row, mark: row._replace(closed_at=None, helped_at=None),
    "outcome-corrected": lambda row, mark: row._replace(
        helped_at=row.closed_at if mark.status == "completed" else None
    ),
    "referral-closed": lambda row, mark: row._replace(
        closed_at=mark.at, helped_at=mark.at if mark.status == "completed" else None
    ),
    "referral-reopened": lambda row, mark: row._replace(closed_at=None, helped_at=None),
    "referral-cancelled": lambda row, mark: row._replace(closed_at=mark.at),
    "referral-refused": lambda row, mark: row._replace(closed_at=mark.at),
    "referral-entered-in-error": lambda row, mark: row._replace(in_error=True),
}


def row(referral: UUID, domain: str, received_at: datetime, marks: Iterable[Mark]) -> Row:
    """The fold of a referral's marks, in the order of its versions; unknown types change nothing."""
    made = Row(referral, domain, received_at)
    for mark in marks:
        made = MARKS[mark.type](made, mark) if mark.type in MARKS else made
    return made


def rows_of(found: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Rows of the query: referral, domain, received_at, and the marks as three arrays."""
    return [
        row(
            r["referral"],
            r["domain"],
            r["received_at"],
            map(Mark, r["types"] or (), r["ats"] or (), r["statuses"] or ()),
        )
        for r in found
    ]


class Definition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One measure; a referral younger than `mature_hours` without the event is immature, not a miss."""

    version: int
    title: str
    kind: str
    event: str
    mature_hours: float
    at_least: bool
    quantile: float = 0.5


class Measured(Struct, frozen=True, kw_only=True):
    """One measure as interfaces.md shapes it; `value` is None when there is nothing to measure."""

    id: str
    version: int
    title: str
    numerator: int | None
    denominator: int | None
    excluded: int | None
    immature: int | None
    value: float | None
    target: float | None
    met: bool | None


class Counted(NamedTuple):
    """How one referral counts in one measure."""

    referral: UUID
    received_at: datetime
    hit: bool
    immature: bool
    hours: float | None


@cache
def definitions() -> dict[str, Definition]:
    """Every measure by id, in the order of the data file."""
    text = resources.files("referrals").joinpath("data", "measures.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, Definition])


# The event of a definition -> when it happened to a referral.
EVENTS: dict[str, Callable[[Row], datetime | None]] = {
    "received": lambda row: row.received_at,
    "accepted": lambda row: row.accepted_at,
    "closed": lambda row: row.closed_at,
    "helped": lambda row: row.helped_at,
}


def counted(definition: Definition, rows: Iterable[Row], as_of: datetime) -> list[Counted]:
    """How each referral counts, by time of receipt then id; what was entered in error does not."""
    mature = timedelta(hours=definition.mature_hours)
    found = []
    known = (r for r in rows if not r.in_error)
    for row in sorted(known, key=lambda r: (r.received_at, r.referral)):
        when = EVENTS[definition.event](row)
        hours = None if when is None else (when - row.received_at).total_seconds() / 3600
        immature = when is None and row.received_at + mature > as_of
        found.append(Counted(row.referral, row.received_at, when is not None, immature, hours))
    return found


def measure(
    id: str, rows: Iterable[Row], as_of: datetime, targets: Mapping[str, float] | None = None
) -> Measured:
    """One measure over the rows."""
    definition = definitions()[id]
    rows = list(rows)
    found = counted(definition, rows, as_of)
    wrong = sum(r.in_error for r in rows)
    hits = [c for c in found if c.hit]
    immature = sum(c.immature for c in found)
    denominator = len(hits) if definition.kind == "quantile" else len(found) - immature
    value = VALUES[definition.kind](definition, hits, denominator)
    target = (targets or {}).get(id)
    met = (
        None
        if value is None or target is None
        else (value >= target) is definition.at_least or value == target
    )
    return Measured(
        id=id,
        version=definition.version,
        title=definition.title,
        numerator=len(hits),
        denominator=denominator,
        excluded=wrong + (len(found) - len(hits) if definition.kind == "quantile" else 0),
        immature=immature,
        value=value,
        target=target,
        met=met,
    )


def _share(definition: Definition, hits: Sequence[Counted], denominator: int) -> float | None:
    return round(len(hits) / denominator, 4) if denominator else None


def _quantile(definition: Definition, hits: Sequence[Counted], denominator: int) -> float | None:
    return quantile([c.hours for c in hits if c.hours is not None], definition.quantile)


VALUES: dict[str, Callable[[Definition, Sequence[Counted], int], float | None]] = {
    "count": lambda definition, hits, denominator: float(len(hits)),
    "share": _share,
    "quantile": _quantile,
}


def quantile(values: Iterable[float], q: float) -> float | None:
    """The q-quantile by linear interpolation, rounded to four places; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = (len(ordered) - 1) * q
    low, high = math.floor(place), math.ceil(place)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 4)


SMALL = 11


def suppressed(measured: Measured) -> Measured:
    """The measure without figures that could tell about fewer than 11 people, for readers outside the contract."""
    numbers = (
        measured.numerator or 0,
        measured.denominator or 0,
        measured.excluded or 0,
        measured.immature or 0,
    )
    misses = (measured.denominator or 0) - (measured.numerator or 0)
    if not any(0 < n < SMALL for n in (*numbers, misses)):
        return measured
    hidden = dict.fromkeys(("numerator", "denominator", "excluded", "immature", "value", "met"))
    return msgspec.structs.replace(measured, **hidden)
