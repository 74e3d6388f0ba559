"""Placing a referral: route it, ask the chosen service, or hand it to the hub; used at submission and re-routing.

Comes in: the referral, the world as loaded, whom this event has just tried. Goes out: facts. Pure.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from referrals import approval, ids
from referrals import events as e
from referrals.commands import Envelope
from referrals.contracts import contract_of, contracts
from referrals.directory import Directory, Service
from referrals.route import route
from referrals.state import Referral
from referrals.submission import Submission
from referrals.wanted import Wanted, coded, personal

A_YEAR = timedelta(days=366)


class World(NamedTuple):
    """What decisions may look at besides the referral: all loaded before, all frozen for the decision.

    `organizations`: id -> type of the active ones. `loads`: open hops per organization. `seal`: bytes -> bytes.
    `tombstones`: referral id -> reason, of the cancels that came before their submission.
    `open`: sealed bytes -> the submission; ValueError when it cannot be. `trust`: service -> 0..1, 1 when absent.
    """

    directory: Directory
    loads: Mapping[str, int]
    organizations: Mapping[str, str]
    hub: str
    seal: Callable[[bytes], bytes]
    open: Callable[[bytes], Submission]
    trust: Mapping[str, float] = MappingProxyType({})
    tombstones: Mapping[UUID, str] = MappingProxyType({})

    def request(self, state: Referral, service: Service, at: datetime) -> e.HopRequested:
        """The fact that asks a service: the next hop, with its deadline from the contract."""
        return hop_requested(state.id, len(state.hops) + 1, service, state.contract, state.priority, at)


def hop_requested(
    referral: UUID, number: int, service: Service, contract: str, priority: str, at: datetime
) -> e.HopRequested:
    """The n-th hop: its id follows from the referral and n, its deadline from contract, priority and closures."""
    closures = closed_soon(service, at)
    known = contract_of(contract)
    due = known.due("first-response", priority, at, known.calendar.closed(closures))
    assert due is not None, "every contract has this clock"
    return e.HopRequested(
        hop=str(ids.hop_id(referral, number)),
        number=number,
        organization=service.organization,
        service=service.id,
        due_at=due,
        closures=closures,
    )


def place(
    state: Referral, envelope: Envelope, world: World, asked: frozenset[str] = frozenset()
) -> tuple[e.Fact, ...]:
    """The next hop, or review; never the same organization twice, never beyond the contract's hop limit."""
    asking = approval.ask(state, envelope.at)
    if approval.is_denied(state):
        return (approval.not_authorized(),)
    if approval.holds_back(state):
        return asking
    if len(state.hops) >= contracts()[state.contract].hop_limit:
        detail = f"{len(state.hops)} organizations were asked; the contract allows no more"
        return (e.Fact(e.ReviewNeeded(reason="hop-limit", detail=detail)),)
    decision = decide(state, envelope.at, world, asked)
    return (*asking, e.Fact(decision), *_asked_next(state, decision, envelope, world))


def closed_soon(service: Service, at: datetime) -> tuple[tuple[str, str], ...]:
    """The dated closures that stop a recipient's clocks; one without an end would stop them for ever."""
    first, last = at.date().isoformat(), (at + A_YEAR).date().isoformat()
    return tuple((a, b) for a, b in service.closures if first <= b <= last)


def decide(
    state: Referral, at: datetime, world: World, asked: frozenset[str] = frozenset()
) -> e.RoutingDecided:
    """The routing decision; the submission is opened for it once, and not kept."""
    submission = world.open(state.sealed) if state.sealed else None
    asking = wanted(state, submission, at.date(), asked)
    return route(asking, world.directory, world.loads, at, world.trust)


def wanted(
    state: Referral, submission: Submission | None, day: date, asked: frozenset[str] = frozenset()
) -> Wanted:
    """What routing may know of a referral: what is clear, and from the opened submission what is personal."""
    return Wanted(
        sender=state.sender,
        domain=state.domain,
        postal_code=state.postal_code,
        county=state.county,
        language=state.language,
        excluded=state.excluded,
        earlier=asked | {h.organization for h in state.hops},
        preferred=state.preferred,
        preferred_only=state.routing == "preferred-only",
        payer=state.payer,
        service_code=coded(state.service.system, state.service.code) if state.service else None,
        programme=state.programme,
        **(personal(submission, day) if submission else {}),
    )


def _asked_next(
    state: Referral, decision: e.RoutingDecided, envelope: Envelope, world: World
) -> tuple[e.Fact, ...]:
    if decision.chosen is None:
        reason = "preferred-unavailable" if state.routing == "preferred-only" else "no-candidate"
        rules = {c.excluded_by.rule for c in decision.candidates if c.excluded_by} | set(
            decision.others_excluded
        )
        why = (
            f"every service was excluded by: {', '.join(sorted(rules))}"
            if rules
            else "no service has this need"
        )
        return (e.Fact(e.ReviewNeeded(reason=reason, detail=why)),)
    if state.routing == "ask-first":
        detail = "a person at the clinic or hub confirms the service first"
        return (e.Fact(e.ReviewNeeded(reason="ask-first", detail=detail)),)
    return (e.Fact(world.request(state, world.directory.services[decision.chosen], envelope.at)),)
