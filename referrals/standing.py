"""How each service stands today, whoever asks: is it shut, and what speaks for it as a service.

Comes in: the directory's row, the service's record of answers, how many of its places are taken, the policy. Goes out:
a Standing per service, computed once a day and again when something about the service changes. Never about a person.
"""

from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from referrals.directory import Service
from referrals.events import ExcludedBy
from referrals.globe import Vector, position
from referrals.rules import Limits, limits
from referrals.service_record import NOTHING, Record, added, closed_since, silences
from referrals.wanted import Policy, policy

WAIT = {"capacity": 1.0, "waitlist": 0.0, "no-capacity": 0.0}
WAIT_UNKNOWN = 0.5
K = TypeVar("K")
V = TypeVar("V")
Owner = tuple[str, str]
Places = tuple[str, str, int]


class Standing(NamedTuple):
    """One service today: why it is not asked at all, or the parts of its score and their weighed sum.

    Beside it what every decision wants of the row: the rules it can be excluded by, its position on the globe.
    """

    service: Service
    shut: ExcludedBy | None
    parts: Mapping[str, float]
    worth: float
    limits: Limits
    position: Vector | tuple[()]


class Row(NamedTuple):
    """What of a standing follows from the directory's row alone."""

    service: Service
    limits: Limits
    position: Vector | tuple[()]


class Seen(NamedTuple):
    """What the rules and parts of standing look at; `taken` places of the capacity stated now."""

    policy: Policy
    day: date
    record: Record
    taken: int


def _inactive(at: Seen, s: Service) -> str | None:
    return None if s.active else "the service is not active"


def _closed(at: Seen, s: Service) -> str | None:
    return f"a closure is in force on {at.day.isoformat()}" if s.closed_on(at.day) else None


def _said_full(at: Seen, s: Service) -> str | None:
    if s.capacity_status != "no-capacity" or not fresh_capacity(s, at.day, at.policy.capacity_fresh_days):
        return None
    return f"has said on {str(s.capacity_updated)[:10]} that it has no room"


def _all_taken(at: Seen, s: Service) -> str | None:
    if s.capacity_available is None or at.taken < s.capacity_available:
        return None
    if s.capacity_until is not None and at.day.isoformat() > s.capacity_until:
        return None
    since = str(s.capacity_updated)[:10] if s.capacity_updated else f"version {s.capacity_version}"
    if s.capacity_available == 0:
        return f"has no place ({since})"
    n = s.capacity_available
    return f"all {n} places of {since} are taken" if n > 1 else f"the one place of {since} is taken"


def _closed_itself(at: Seen, s: Service) -> str | None:
    since = closed_since(at.record)
    if since is None:
        return None
    return f"has said on {since.date()}, to a referral, that it has no room; not reopened since"


def _paused(at: Seen, s: Service) -> str | None:
    silent = silences(at.record)
    if silent < at.policy.pause_after_expiries:
        return None
    return f"has left its last {silent} requests unanswered; paused until it answers or states its capacity"


# In the order they are asked; the first that objects names the exclusion.
SHUT: tuple[tuple[str, Callable[[Seen, Service], str | None]], ...] = (
    ("inactive", _inactive),
    ("closure", _closed),
    ("capacity", _said_full),
    ("capacity", _all_taken),
    ("capacity", _closed_itself),
    ("paused", _paused),
)


def _freshness(at: Seen, s: Service) -> float | None:
    days, half = days_since(s.assured_date, at.day), at.policy.half_assured_days
    return None if days is None else half / (half + max(0, days))


def _wait(at: Seen, s: Service) -> float | None:
    if s.capacity_status is None or not fresh_capacity(s, at.day, at.policy.capacity_fresh_days):
        return WAIT_UNKNOWN
    return WAIT.get(s.capacity_status, WAIT_UNKNOWN)


def _trust(at: Seen, s: Service) -> float | None:
    """Falls with what came back from it or said that its row is wrong, and when nobody assured the row for long."""
    r, p = at.record, at.policy
    kept = r.asked + p.prior_answers
    trust = kept / (kept + p.doubt_weight * (r.wrong + r.bounces))
    days = days_since(s.assured_date, at.day)
    return trust * p.stale_trust if days is not None and days > p.stale_assured_days else trust


def _acceptance(at: Seen, s: Service) -> float | None:
    """The share it accepted, begun with a few imagined answers so that one answer is not yet a record."""
    prior = at.policy.prior_answers
    asked = max(at.record.asked, at.record.accepted)
    return (at.record.accepted + prior * at.policy.prior_acceptance) / (asked + prior)


def _speed(at: Seen, s: Service) -> float | None:
    """One half at the policy's hours; silence is not counted here, acceptance does."""
    half, prior = at.policy.half_response_hours * 3600, at.policy.prior_answers
    answered = at.record.asked - at.record.expired
    return half / (half + (at.record.response_seconds + prior * half) / (answered + prior))


PARTS: tuple[tuple[str, Callable[[Seen, Service], float | None]], ...] = (
    ("freshness", _freshness),
    ("wait", _wait),
    ("trust", _trust),
    ("acceptance", _acceptance),
    ("speed", _speed),
)


class Layer(dict[K, V]):
    """What changed, over a mapping that stays as it is: looked up in both, but it holds what was put in here alone."""

    def __init__(self, below: Mapping[K, V]) -> None:
        super().__init__()
        self._below = below

    def __missing__(self, key: K) -> V:
        return self._below[key]

    def get(self, key: K, default: Any = None) -> Any:
        found = super().get(key)
        return self._below.get(key, default) if found is None else found


class Standings:
    """Every service's standing under one policy; a batch works on a `child`, which is dropped or absorbed."""

    def __init__(
        self,
        rules: Policy | None = None,
        records: dict[Owner, Record] | None = None,
        taken: dict[Places, int] | None = None,
    ) -> None:
        self.policy = rules or policy()
        self.records: dict[Owner, Record] = {} if records is None else records
        self.taken: dict[Places, int] = {} if taken is None else taken
        self._known: dict[date, dict[str, Standing]] = {}
        self._rows: dict[str, Row] = {}
        self._shared = False

    def child(self) -> "Standings":
        """The same, to change without changing this one."""
        made = Standings(self.policy, Layer(self.records), Layer(self.taken))
        made._known, made._shared, made._rows = self._known, True, self._rows
        return made

    def on(self, day: date) -> dict[str, Standing]:
        """What is known of that day so far, by service id; `of` makes what is missing or of an older row."""
        found = self._known.get(day)
        if found is None:
            self._known.clear()
            found = self._known[day] = {}
        return found

    def of(self, service: Service, day: date) -> Standing:
        """How a service stands that day."""
        row = self._rows.get(service.id)
        if row is None or row.service is not service:
            row = self._rows[service.id] = Row(service, limits(service), position(service))
        made = self.on(day)[service.id] = standing(self.seen(service, day), service, row)
        return made

    def seen(self, service: Service, day: date) -> Seen:
        """What the rules look at for one service."""
        taken = self.taken.get((service.id, service.organization, service.capacity_version), 0)
        return Seen(self.policy, day, self.records.get((service.id, service.organization), NOTHING), taken)

    def full(self, service: Service, day: date) -> str | None:
        """That every place of a numeric capacity is taken, in words, or None: nobody may promise more."""
        return _all_taken(self.seen(service, day), service)

    def tell(self, owner: Owner, change: Record) -> None:
        """Add what a fact tells of a service to its record."""
        self.put({owner: added(self.records.get(owner, NOTHING), change)}, {})

    def take(self, places: Places, change: int) -> None:
        """Take places of a capacity, or give them back."""
        self.put({}, {places: self.taken.get(places, 0) + change})

    def absorb(self, child: "Standings") -> None:
        """What a child has changed is so now."""
        self.put(dict(child.records), dict(child.taken))

    def put(self, records: Mapping[Owner, Record], taken: Mapping[Places, int]) -> None:
        """These records and tallies are so now, whatever was known."""
        self.records.update(records)
        self.taken.update(taken)
        if self._shared:
            self._known, self._shared = {day: dict(known) for day, known in self._known.items()}, False
        for known in self._known.values():
            for id in {*(owner[0] for owner in records), *(places[0] for places in taken)}:
                known.pop(id, None)


def standing(at: Seen, service: Service, row: Row | None = None) -> Standing:
    """The standing of one service; `row`: what is known of it already."""
    always = row[1:] if row else (limits(service), position(service))
    for name, objects in SHUT:
        if (detail := objects(at, service)) is not None:
            return Standing(service, ExcludedBy(name, detail), {}, 0.0, *always)
    parts = {name: round(value, 4) for name, part in PARTS if (value := part(at, service)) is not None}
    worth = sum(at.policy.weights[name] * value for name, value in parts.items())
    return Standing(service, None, parts, worth, *always)


@lru_cache(maxsize=4096)
def days_since(text: str | None, day: date) -> int | None:
    """Days from an ISO date or time to that day; None when it is none."""
    try:
        return (day - date.fromisoformat((text or "")[:10])).days
    except ValueError:
        return None


def fresh_capacity(service: Service, day: date, days_fresh: int) -> bool:
    """Whether what the service said of its room still holds: not past its own date, and recent; undated is not."""
    if service.capacity_until is not None and day.isoformat() > service.capacity_until:
        return False
    days = days_since(service.capacity_updated, day)
    return days is not None and days <= days_fresh
