"""Contracts as reviewed data files: parties, needs, hop limit, calendar, clocks, authorization, targets.

Comes in: referrals/data/contracts/*.json. Goes out: which contract holds for a referral, and when its spans end. Never
a person's data.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from referrals import words
from referrals.business_time import Calendar, add, add_days

DEFAULT = "exchange-default"
SPAN = re.compile(r"(\d+(?:\.\d+)?) (business )?(hour|day)s?")


class Span(NamedTuple):
    """A length of time as a contract says it: hours or days, of the wall clock or of business time."""

    amount: float
    unit: str
    business: bool

    def after(self, start: datetime, calendar: Calendar) -> datetime:
        """When the span is over: wall-clock spans to the second, n business days at the end of the n-th."""
        if self.business and self.unit == "day":
            return add_days(calendar, start, int(self.amount))
        return add(calendar if self.business else None, start, _length(self.amount, self.unit))


@cache
def _length(amount: float, unit: str) -> timedelta:
    return timedelta(**{f"{unit}s": amount})


class Clock(Struct, frozen=True, forbid_unknown_fields=True):
    """One deadline of a contract: `within` is a span per priority, `routine` always given.

    `remind`, `escalate`: shares of the span; 0.75 is a quarter of it before the end, 1.5 half of it after.
    """

    within: Mapping[str, str]
    remind: float | None = None
    escalate: float | None = None

    def __post_init__(self) -> None:
        if "routine" not in self.within or set(self.within) - set(words.PRIORITIES):
            raise ValueError(f"within must name routine, and nothing but {', '.join(words.PRIORITIES)}")
        for text in self.within.values():
            span_of(text)
        if not 0 < (self.remind or 0.5) < 1 or (self.escalate or 2) <= 1:
            raise ValueError("remind lies between 0 and 1, escalate above 1")

    def span(self, priority: str) -> Span:
        """The span of a priority, else of the next less urgent one that has one."""
        if (own := self.within.get(priority)) is not None:
            return span_of(own)
        no_more_urgent = words.PRIORITIES[: words.PRIORITIES.index(priority) + 1]
        return span_of(next(self.within[p] for p in reversed(no_more_urgent) if p in self.within))


class Duplicates(Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a likely duplicate: flag and route, hold for a person, or refuse; and how far back to look."""

    action: Literal["flag", "hold", "refuse"] = "flag"
    window_days: int = 30


class Contract(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One contract. `member_ids` names a numbering of members that plans share (a state's); else it is the plan's own.
    `needs` empty = every need domain; a clock that it does not name does not run.

    `offers`: how many organizations are asked at once, per priority (one when not said). `contact_attempts`: how often
    a person must have been tried before `client-unreachable`. The hub records an answer that came by telephone or
    fax for the organizations of `answered_by_phone` at once, for others after `assisted_after_hours` of silence.
    `authorization`: before-routing or before-start -> the need domains the plan must approve by then.
    """

    id: str
    title: str
    payer: str | None = None
    needs: tuple[str, ...] = ()
    hop_limit: int = 3
    offers: Mapping[str, int] = {}
    contact_attempts: int = 0
    assisted_after_hours: float = 4.0
    answered_by_phone: tuple[str, ...] = ()
    calendar: Calendar
    clocks: Mapping[str, Clock]
    authorization: Mapping[str, tuple[str, ...]] = {}
    targets: Mapping[str, float] = {}
    member_ids: str | None = None
    duplicates: Duplicates = Duplicates()

    def __post_init__(self) -> None:
        if set(self.clocks) - set(CLOCKS) or "first-response" not in self.clocks:
            raise ValueError(f"clocks must hold first-response, and nothing but {', '.join(CLOCKS)}")
        if set(self.authorization) - set(words.AUTHORIZATION_MODES[1:]):
            raise ValueError(f"authorization is by {' or '.join(words.AUTHORIZATION_MODES[1:])}")

    def due(
        self, clock: str, priority: str, start: datetime, calendar: Calendar | None = None
    ) -> datetime | None:
        """When a clock that starts now comes due; None when the contract has no such clock."""
        found = self.clocks.get(clock)
        return found.span(priority).after(start, calendar or self.calendar) if found else None

    def asked_at_once(self, priority: str) -> int:
        """How many organizations one offer round asks."""
        return max(1, self.offers.get(priority, 1))

    def authorized_before(self, domain: str) -> str:
        """What waits for the plan's approval: `routing`, `start` or `none`, as `before-...` says."""
        modes = (mode for mode, needs in self.authorization.items() if domain in needs)
        return next(modes, words.AUTHORIZATION_MODES[0])


# What a contract may set a clock to; clocks.py says when each runs.
CLOCKS = (
    "first-response",
    "acceptance",
    "first-contact",
    "service-start",
    "closure",
    "authorization",
    "review",
    "notices",
)


@cache
def span_of(text: str) -> Span:
    """`2 business days`, `4 hours`; raises ValueError for anything else."""
    found = SPAN.fullmatch(text)
    if found is None or not float(found[1]) or (found[2] and found[3] == "day" and not found[1].isdigit()):
        raise ValueError(f"`{text}` is no span; write it like `2 business days` or `4 hours`")
    return Span(float(found[1]), found[3], found[2] is not None)


@cache
def contracts() -> dict[str, Contract]:
    """Every contract by id."""
    folder = resources.files("referrals").joinpath("data", "contracts")
    found = [msgspec.json.decode(p.read_bytes(), type=Contract) for p in folder.iterdir()]
    return {c.id: c for c in sorted(found, key=lambda c: c.id)}


def contract_of(id: str) -> Contract:
    """The contract of a referral; one that is no longer known leaves the exchange's default."""
    return contracts().get(id) or contracts()[DEFAULT]


def contract_for(payer: str | None, domain: str) -> Contract:
    """The contract of a payer that covers the need, else the exchange's default."""
    for contract in contracts().values():
        if contract.payer is not None and contract.payer == payer and domain in (contract.needs or (domain,)):
            return contract
    return contracts()[DEFAULT]


@cache
def member_ids(payer: str) -> str:
    """Whose numbering the member ids of a plan are: one that it shares with others, or its own."""
    shared = (c.member_ids for c in contracts().values() if c.payer == payer and c.member_ids)
    return next(shared, payer)
