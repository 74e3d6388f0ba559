"""Likely duplicates: the same person with the same need not long ago, from any sender. Never dropped.

Comes in: a submission, the earlier referrals found under its keys, the contract's policy. Goes out: the suspicion as a
fact that names fields and no value, or None; what follows from it (flag, hold, refuse) is the contract's. Pure.
"""

from collections.abc import Callable, Collection, Container, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Struct

from referrals import events as e
from referrals.contracts import contracts
from referrals.matching import Agreement, agreement
from referrals.state import Referral
from referrals.submission import Coding, Person, Submission
from referrals.words import ReferralStatus as Status

# An end that leaves the need open is a reason to ask again, not a duplicate.
ENDED_UNHELPED = frozenset({Status.REFUSED, Status.CANCELLED, Status.ENTERED_IN_ERROR, Status.FAILED})
CERTAIN = Agreement(100, ("person_id",), (), ())
LINKED = Agreement(100, ("confirmed_link",), (), ())


class Earlier(Struct, frozen=True, kw_only=True):
    """An earlier referral as far as it matters here; who it is about stays sealed."""

    referral: UUID
    sender: str
    person_key: UUID
    domain: str
    status: str
    created_at: datetime
    service: Coding | None = None
    case_id: str | None = None
    sensitive: bool = False
    sealed: bytes = b""


Event = tuple[str, UUID]


class People(NamedTuple):
    """What was loaded about persons: match keys per event, referrals per key, what they are, confirmed links."""

    keys: Mapping[Event, tuple[UUID, ...]] = {}
    near: Mapping[UUID, Collection[UUID]] = {}
    earlier: Mapping[UUID, Earlier] = {}
    linked: Mapping[UUID, frozenset[UUID]] = {}


def earlier(state: Referral) -> Earlier:
    """A referral as the next one of the same person will see it."""
    return Earlier(
        referral=state.id,
        sender=state.sender,
        person_key=state.person_key,
        domain=state.domain,
        status=str(state.status),
        created_at=state.created_at,
        service=state.service,
        case_id=state.case_id,
        sensitive=bool(state.sensitivity),
        sealed=state.sealed,
    )


def longest_window() -> timedelta:
    """How far back any contract looks."""
    return timedelta(days=max(c.duplicates.window_days for c in contracts().values()))


def suspected(
    state: Referral,
    submission: Submission,
    at: datetime,
    people: People,
    keys: tuple[UUID, ...],
    open_sealed: Callable[[UUID, bytes], Submission | None],
) -> e.DuplicateSuspected | None:
    """The best match among the earlier referrals of the same need, None when there is none."""
    rule = contracts()[state.contract].duplicates
    best: tuple[int, datetime, Earlier, Agreement] | None = None
    for one in _same_need(state, submission, people, keys):
        if at - one.created_at > timedelta(days=rule.window_days):
            continue
        found = _same_person(state, submission.person, one, people, open_sealed)
        if found is not None and (best is None or (found.score, one.created_at) > best[:2]):
            best = (found.score, one.created_at, one, found)
    if best is None:
        return None
    _, _, one, found = best
    return e.DuplicateSuspected(
        earlier=one.referral,
        earlier_sender=one.sender,
        action=rule.action,
        days_apart=max(0, (at - one.created_at).days),
        score=found.score,
        same=found.same,
        alike=found.alike,
        differing=found.differing,
    )


def told(data: Mapping[str, Any], organization: str, seen: Container[str] = ()) -> dict[str, Any]:
    """A fact's data as a party may read it: without its keys, and without another sender's referral.

    `seen` holds the ids of the referrals of others that the party may see.
    """
    foreign = data.get("earlier_sender") not in (None, organization) and data.get("earlier") not in seen
    keys = {"match_keys", "member"}
    ours = keys | {"earlier", "earlier_sender"} if foreign else keys
    return {name: value for name, value in data.items() if name not in ours}


def _same_need(
    state: Referral, submission: Submission, people: People, keys: tuple[UUID, ...]
) -> Iterator[Earlier]:
    """The earlier referrals that may be the same request; each once."""
    under = (state.person_key, *people.linked.get(state.person_key, ()), *keys)
    for one in (people.earlier[id] for id in {id for key in under for id in people.near.get(key, ())}):
        asked_for = (one.service, state.service)
        meant = str(one.referral) == submission.based_on_referral
        own_case = one.sender == state.sender and one.case_id is not None and one.case_id == state.case_id
        if (
            one.referral != state.id
            and one.domain == state.domain
            and one.status not in ENDED_UNHELPED
            and (None in asked_for or asked_for[0] == asked_for[1])
            and not (meant or own_case or (one.sensitive and one.sender != state.sender))
        ):
            yield one


def _same_person(
    state: Referral,
    person: Person,
    one: Earlier,
    people: People,
    open_sealed: Callable[[UUID, bytes], Submission | None],
) -> Agreement | None:
    if one.person_key == state.person_key:
        return CERTAIN
    if one.person_key in people.linked.get(state.person_key, ()):
        return LINKED
    try:
        other = open_sealed(one.referral, one.sealed)
    except ValueError:
        return None
    return agreement(person, other.person) if other is not None else None
