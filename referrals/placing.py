"""Placing a referral: route it, ask the chosen service, or hand it to the hub; used at submission and re-routing.

Comes in: the referral, the world as loaded, whom this event has just tried. Goes out: facts. Pure.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from referrals import approval, ids
from referrals import events as e
from referrals.commands import Envelope
from referrals.consent import Cover, Records
from referrals.contracts import contract_of
from referrals.coverage import Known
from referrals.directory import Directory, Service
from referrals.duplicates import People
from referrals.permitting import standing
from referrals.receiving import Help, Need, need_of, receiving
from referrals.route import route
from referrals.standing import Standings
from referrals.state import Referral
from referrals.submission import Submission
from referrals.wanted import Wanted, coded, personal

A_YEAR = timedelta(days=366)


class World(NamedTuple):
    """What decisions may look at besides the referral: all loaded before, all frozen for the decision.

    `organizations`: id -> type of the active ones. `loads`: open hops per organization. `seal`: bytes -> bytes.
    `tombstones`: referral id -> reason, of the cancels that came before their submission.
    `coverage`: the members of this batch and the spells known of them (referrals/coverage.py).
    `people`: what was loaded about the persons of this batch (referrals/duplicates.py).
    `open`: referral, its sealed bytes -> the submission; None when the person was erased, ValueError when it cannot be
    opened. `standings`: how each service stands.
    `consents`: person key -> recorded consents, held until the batch commits; `links`: person key -> the same person's.
    `helps`: by person and need, who helps already or has helped.
    """

    directory: Directory
    loads: Mapping[str, int]
    organizations: Mapping[str, str]
    hub: str
    seal: Callable[[bytes], bytes]
    open: Callable[[UUID, bytes], Submission | None]
    standings: Standings = Standings()
    tombstones: Mapping[UUID, str] = MappingProxyType({})
    consents: Mapping[UUID, Records] = MappingProxyType({})
    links: Mapping[UUID, frozenset[UUID]] = MappingProxyType({})
    helps: Mapping[Need, tuple[Help, ...]] = MappingProxyType({})
    coverage: Known = Known()
    people: People = People()

    def requests(
        self,
        state: Referral,
        services: Sequence[Service],
        at: datetime,
        offer: int | None = None,
        assigned: bool = False,
    ) -> tuple[e.Fact, ...]:
        """The facts that ask these services in one round: a hop each, with its deadline from the contract."""
        number, first = offer or state.next_offer, len(state.hops) + 1
        made = (hop_requested(state, n, s, at, number, assigned) for n, s in enumerate(services, first))
        return tuple(e.Fact(event) for event in made)

    def receiving(self, referral: UUID, need: Need, at: datetime) -> frozenset[str]:
        """The organizations that help this person with this need by another referral, or did lately."""
        days = self.standings.policy.already_receiving_days
        return receiving(self.helps.get(need, ()), referral, at, days)


def hop_requested(
    state: Referral, number: int, service: Service, at: datetime, offer: int, assigned: bool
) -> e.HopRequested:
    """The n-th hop: its id follows from the referral and n, its deadline from contract, priority and closures."""
    closures, contract = closed_soon(service, at), contract_of(state.contract)
    due = contract.due("first-response", state.priority, at, contract.calendar.closed(closures))
    assert due is not None, "every contract has this clock"
    return e.HopRequested(
        hop=str(ids.hop_id(state.id, number)),
        number=number,
        organization=service.organization,
        service=service.id,
        due_at=due,
        offer=offer,
        assigned=assigned,
        closures=closures,
        capacity_version=None if service.capacity_available is None else service.capacity_version,
    )


def place(
    state: Referral,
    envelope: Envelope,
    world: World,
    asked: frozenset[str] = frozenset(),
    offer: int | None = None,
) -> tuple[e.Fact, ...]:
    """The next offer round, or review; never the same organization twice, never beyond the contract's hop limit.

    `offer`: one more is asked in this round, which is still open. Nobody is asked that the consents do not cover.
    """
    now, covered = standing(state, envelope.at, world)
    if now.verdict == "refuse":
        return (e.Fact(e.ReferralCancelled(reason="consent-revoked")),)
    if now.verdict == "review":
        return (e.Fact(e.ReviewNeeded(reason=now.reason, detail=now.detail)),)
    asking, contract = approval.ask(state, envelope.at), contract_of(state.contract)
    if approval.is_denied(state):
        return (approval.not_authorized(),)
    if approval.holds_back(state):
        return asking
    room = contract.hop_limit - len(state.hops)
    if room <= 0:
        detail = f"{len(state.hops)} organizations were asked; the contract allows no more"
        return (e.Fact(e.ReviewNeeded(reason="hop-limit", detail=detail)),)
    decision = decide(state, envelope.at, world, asked, covered)
    if (review := _review(state, decision)) is not None:
        return (*asking, e.Fact(decision), e.Fact(review))
    most = 1 if offer else min(room, contract.asked_at_once(state.priority))
    chosen = [world.directory.services[id] for id in offered(decision, most)]
    return (*asking, e.Fact(decision), *world.requests(state, chosen, envelope.at, offer))


def closed_soon(service: Service, at: datetime) -> tuple[tuple[str, str], ...]:
    """The dated closures that stop a recipient's clocks; one without an end would stop them for ever."""
    if not service.closures:
        return ()
    first, last = at.date().isoformat(), (at + A_YEAR).date().isoformat()
    return tuple((a, b) for a, b in service.closures if first <= b <= last)


def offered(decision: e.RoutingDecided, most: int) -> list[str]:
    """The services asked at once: the best of each organization, the chosen one first."""
    best: dict[str, str] = {}
    for candidate in decision.candidates:
        if candidate.excluded_by is None:
            best.setdefault(candidate.organization, candidate.service)
    return list(dict.fromkeys((str(decision.chosen), *best.values())))[:most]


def decide(
    state: Referral,
    at: datetime,
    world: World,
    asked: frozenset[str] = frozenset(),
    covered: Cover | None = None,
) -> e.RoutingDecided:
    """The routing decision; the submission is opened for it, and not kept. `covered` = whom the consent covers."""
    submission = world.open(state.id, state.sealed) if state.sealed else None
    asking = wanted(state, submission, at.date(), asked)
    asking = asking._replace(covered=covered or standing(state, at, world)[1])
    if world.standings.policy.already_receiving == "exclude":
        asking = asking._replace(receiving=asking.receiving | world.receiving(state.id, need_of(state), at))
    return route(asking, world.directory, world.loads, at, world.standings)


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


def _review(state: Referral, decision: e.RoutingDecided) -> e.ReviewNeeded | None:
    """Why nobody may be asked without a person, or None."""
    if decision.chosen is None:
        rules = {c.excluded_by.rule for c in decision.candidates if c.excluded_by} | set(
            decision.others_excluded
        )
        why = (
            f"every service was excluded by: {', '.join(sorted(rules))}"
            if rules
            else "no service has this need"
        )
        return e.ReviewNeeded(reason=_nobody(state, "consent" in rules), detail=why)
    if state.routing == "ask-first":
        detail = "a person at the clinic or hub confirms the service first"
        return e.ReviewNeeded(reason="ask-first", detail=detail)
    return None


def _nobody(state: Referral, consent_objects: bool) -> str:
    """The review reason when no service is left."""
    if consent_objects:
        return "recipient-not-named" if "part2" in state.sensitivity else "consent-not-covering"
    return "preferred-unavailable" if state.routing == "preferred-only" else "no-candidate"
