"""What answers tell of a service: counts, sums and latest times, so that the order of facts does not matter.

Comes in: a hop before and after one fact, the time the fact was recorded. Goes out: a Record to add to the service's,
and how many of its places are taken. Pure; the table service_record is the sum over history, in any order.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from heapq import nlargest
from typing import Any

from msgspec import Struct

from referrals import events as e
from referrals import words
from referrals.state import Hop
from referrals.words import HELD, HopStatus

KEEP = 10
"""How many of the newest silences a record keeps: no policy may pause a service after more."""

CAPACITY = "capacity"


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One service's record; also what one fact adds to it.

    `asked` requests whose wait is over, by an answer or by silence; `wrong` rejections that doubt the directory;
    `bounces` referrals given back after acceptance; `response_seconds` summed over answers in time; `expiries` the
    newest silences, newest first; the other times are the latest ones. `reopened_at`: it said, or by accepting
    showed, that it has room.
    """

    asked: int = 0
    accepted: int = 0
    rejected: int = 0
    expired: int = 0
    wrong: int = 0
    bounces: int = 0
    response_seconds: int = 0
    answered_at: datetime | None = None
    closed_at: datetime | None = None
    reopened_at: datetime | None = None
    expiries: tuple[datetime, ...] = ()


NOTHING = Record()
_SUMS = ("asked", "accepted", "rejected", "expired", "wrong", "bounces", "response_seconds")
_LATEST = ("answered_at", "closed_at", "reopened_at")


def added(one: Record, other: Record) -> Record:
    """Both together; commutative and associative, `NOTHING` changes nothing."""
    sums = {f: getattr(one, f) + getattr(other, f) for f in _SUMS}
    latest = {f: max(filter(None, (getattr(one, f), getattr(other, f))), default=None) for f in _LATEST}
    expiries = tuple(nlargest(KEEP, (*one.expiries, *other.expiries)))
    return Record(**sums, **latest, expiries=expiries)  # type: ignore[arg-type]


def told_by(before: Hop, event: e.Event, at: datetime) -> Record | None:
    """What a fact about a hop tells of its service; None when nothing."""
    teller = _TELLERS.get(type(event))
    return teller(before, event, at) if teller else None


def told_by_capacity(data: Mapping[str, Any], at: datetime) -> Record:
    """What a capacity fact of its CBO tells: it is there; and if the fact says that there is room, it is open again."""
    room = data.get("room") or {}
    said_now = room.get("updated") == at.isoformat()
    reopened = said_now and room.get("status") != "no-capacity"
    return Record(answered_at=at, reopened_at=at if reopened else None)


def places_taken(before: Hop | None, after: Hop) -> int:
    """How many places of a numeric capacity a change of one hop takes (1), gives back (-1), or leaves (0).

    A request takes one. It comes back when the turn ends before help began; an answer after silence takes it again.
    """
    if before is None:
        return 1
    if before.status not in _TAKING:
        return int(after.status in _TAKING)
    began = before.status is HopStatus.IN_PROGRESS and after.status is HopStatus.CANCELLED
    return 0 if after.status in _TAKING or began else -1


def closed_since(record: Record) -> datetime | None:
    """When it said that it has no room, if it has not reopened since."""
    if record.closed_at is None or (record.reopened_at and record.reopened_at >= record.closed_at):
        return None
    return record.closed_at


def silences(record: Record) -> int:
    """How many requests in a row went by unanswered; KEEP means that many or more."""
    return sum(record.answered_at is None or at > record.answered_at for at in record.expiries)


_TAKING = HELD | {HopStatus.REQUESTED, HopStatus.COMPLETED, HopStatus.FAILED}


def _accepted(before: Hop, event: e.HopAccepted, at: datetime) -> Record:
    """Who accepts has room; an answer after silence was counted as asked before."""
    if before.status is not HopStatus.REQUESTED:
        return Record(accepted=1, answered_at=at, reopened_at=at)
    seconds = _seconds(before, at)
    return Record(asked=1, accepted=1, response_seconds=seconds, answered_at=at, reopened_at=at)


def _given_back(before: Hop, event: e.HopRejected | e.HopTransferred, at: datetime) -> Record:
    """By the reason's row: does it doubt the directory, may its CBO close the service with it?"""
    row = words.table("reject_reasons").get(event.reason, {})
    closes = row.get("closes") and getattr(event, "close_service", False)
    told = Record(wrong=int(bool(row.get("trust"))), closed_at=at if closes else None, answered_at=at)
    if before.status is not HopStatus.REQUESTED:
        return added(told, Record(bounces=1))
    return added(told, Record(asked=1, rejected=1, response_seconds=_seconds(before, at)))


def _withdrawn(before: Hop, event: e.HopWithdrawn, at: datetime) -> Record:
    """The CBO's own reasons (those that re-route) speak against it, the person's do not."""
    own = words.table("withdraw_reasons").get(event.reason, {}).get("reroute")
    told = _given_back(before, e.HopTransferred(hop=event.hop, reason=event.reason), at)
    return told if own else Record(answered_at=at)


def _expired(before: Hop, event: e.HopExpired, at: datetime) -> Record:
    return Record(asked=1, expired=1, expiries=(at,))


def _seconds(hop: Hop, at: datetime) -> int:
    return max(0, int((at - hop.requested_at).total_seconds()))


_TELLERS: dict[type[Any], Callable[[Hop, Any, datetime], Record]] = {
    e.HopAccepted: _accepted,
    e.HopRejected: _given_back,
    e.HopTransferred: _given_back,
    e.HopWithdrawn: _withdrawn,
    e.HopExpired: _expired,
}
