"""Step 5, clocks: which deadlines a referral has, and who must do what by when; a pure function of its state.

Comes in: the referral as it is, its contract. Goes out: running clocks, the deadlines that are still to come due, the
next action. Must never read a clock: that one came due is a command like any other.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from referrals import events as e
from referrals.approval import is_pending
from referrals.business_time import Calendar, add, between, opening
from referrals.contracts import Contract, contract_of
from referrals.state import Hop, Referral
from referrals.timing import HOLD_REVIEW, STAGES
from referrals.words import TERMINAL, HopStatus, ReferralStatus

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
FIRST_RESPONSE = "first-response"
CONTACT_PROHIBITED = "contact-prohibited"  # a flag: nobody is hurried to contact the person
ClockFact = e.ReminderDue | e.DeadlineMissed | e.DeadlineEscalated
Pauses = tuple[tuple[datetime, datetime | None], ...]


class Running(NamedTuple):
    """A clock that runs: who must act, on which hop, since when, by when; `number` is a hop's for its first response.

    `calendar` None: wall-clock time. `pauses` are over; while one lasts, no clock of the recipient runs.
    """

    kind: str
    who: str
    since: datetime
    due_at: datetime
    calendar: Calendar | None
    hop: str | None = None
    pauses: Pauses = ()
    number: int | None = None

    def at(self, share: float) -> datetime:
        """When this share of the clock's time is over, to the next whole second; pauses do not count."""
        when = self.due_at
        if share != 1:
            whole = between(self.calendar, self.since, self.due_at)
            when = add(self.calendar, self.since, whole * share)
        for stopped, went_on in self.pauses:
            if went_on is not None and stopped < when:
                when = add(self.calendar, went_on, between(self.calendar, stopped, when))
        return when + timedelta(microseconds=-when.microsecond % 1_000_000)


class Deadline(NamedTuple):
    """One row of `deadline`: it is stale as soon as the referral's deadlines hold no equal name and generation."""

    name: str
    generation: int
    due_at: datetime
    type: type[ClockFact]
    kind: str
    hop: str | None
    told: tuple[str, ...]

    @property
    def event(self) -> ClockFact:
        """The fact that it came due."""
        _, generation, due_at, made, kind, hop, told = self
        return made(kind=kind, generation=generation, due_at=due_at, told=told, hop=hop)


class NextAction(NamedTuple):
    """Who must do what, by when (None: no deadline)."""

    who: str
    what: str
    due_at: datetime | None


def running(state: Referral, contract: Contract | None = None) -> tuple[Running, ...]:
    """Every clock that runs now; those whose time is over keep running until what they wait for happens."""
    if state.status in TERMINAL:
        return ()
    known = contract or contract_of(state.contract)
    return tuple(found for make in CLOCKS if (found := make(state, known)) is not None)


def deadlines(state: Referral, contract: Contract | None = None) -> tuple[Deadline, ...]:
    """The deadlines that are still to come due: reminders, ends, and the escalation of an end that was missed."""
    known = contract or contract_of(state.contract)
    found = (d for clock in running(state, known) for d in _stages(state, clock, known))
    return tuple(d for d in found if state.came_due.get(d.name) != d.generation)


def next_action(state: Referral, contract: Contract | None = None) -> NextAction | None:
    """Who must do what by when; None when the referral is closed."""
    if state.status in TERMINAL:
        return None
    due = {clock.kind: clock.at(1) for clock in running(state, contract)}
    if _waits_for_plan(state):
        return NextAction(state.payer or state.hub, "authorize", due.get("authorization"))
    if state.status is ReferralStatus.NEEDS_REVIEW:
        return NextAction(state.hub, "review", due.get("review"))
    hop = state.held or state.response_due
    if hop is None:
        return NextAction("exchange", "route", None)
    what, clock = NEXT[hop.status]
    return NextAction(hop.organization, what, due.get(clock) if clock != FIRST_RESPONSE else hop.due_at)


def notice_due(state: Referral, at: datetime) -> datetime | None:
    """By when a fact recorded now must have reached whom it concerns; None when the contract has no such clock."""
    return contract_of(state.contract).due("notices", state.priority, at)


# Status of the open hop -> what is to be done by its organization, and the clock that says by when.
NEXT = {
    HopStatus.REQUESTED: ("answer", FIRST_RESPONSE),
    HopStatus.ACCEPTED: ("start", "service-start"),
    HopStatus.IN_PROGRESS: ("complete", "closure"),
    HopStatus.ON_HOLD: ("resume", HOLD_REVIEW),
}


def _waits_for_plan(state: Referral) -> bool:
    if not is_pending(state):
        return False
    if state.status is ReferralStatus.RECEIVED:
        return state.approval == "before-routing"
    hop = state.held
    if hop is None or hop.started_at is not None:
        return False
    return hop.status is HopStatus.ACCEPTED or hop.reason == "waiting-authorization"


def _stages(state: Referral, clock: Running, contract: Contract) -> list[Deadline]:
    said = contract.clocks.get(clock.kind)
    both = _told(clock.who, state.hub)
    if clock.kind == HOLD_REVIEW:
        return [_deadline(clock, 1, e.ReminderDue, both)]
    end = _deadline(clock, 1, e.DeadlineMissed, both)
    missed = state.came_due.get(end.name) == end.generation
    made = [end]
    if said is not None and said.remind is not None and not missed:
        made.append(_deadline(clock, said.remind, e.ReminderDue, _told(clock.who)))
    if said is not None and said.escalate is not None and missed:
        made.append(_deadline(clock, said.escalate, e.DeadlineEscalated, _told(state.hub, state.sender)))
    return made


def _deadline(clock: Running, share: float, event: type[ClockFact], told: tuple[str, ...]) -> Deadline:
    due = clock.at(share)
    generation = clock.number if clock.number is not None else int((due - EPOCH).total_seconds())
    name = clock.kind + ("" if clock.kind == HOLD_REVIEW else STAGES[event])
    return Deadline(name, generation, due, event, clock.kind, clock.hop, told)


def _told(*organizations: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(o for o in organizations if o))


def _started(
    state: Referral, contract: Contract, kind: str, who: str, since: datetime | None, hop: Hop | None = None
) -> Running | None:
    """A clock of the contract from an instant on, in the calendar of the hop's recipient or of the contract."""
    if since is None or kind not in contract.clocks:
        return None
    calendar = contract.calendar.closed(hop.closures) if hop else contract.calendar
    span = contract.clocks[kind].span(state.priority)
    pace = calendar if span.business else None
    due = span.after(since, calendar)
    return Running(kind, who, since, due, pace, hop.hop if hop else None, hop.pauses if hop else ())


def _first_response(state: Referral, contract: Contract) -> Running | None:
    hop = state.response_due
    if hop is None:
        return None
    pace = contract.calendar.closed(hop.closures)
    calendar = pace if contract.clocks[FIRST_RESPONSE].span(state.priority).business else None
    due, who = hop.due_at, hop.organization
    return Running(FIRST_RESPONSE, who, hop.requested_at, due, calendar, hop.hop, number=hop.number)


def _acceptance(state: Referral, contract: Contract) -> Running | None:
    since = state.created_at if state.accepted_at is None else None
    return _started(state, contract, "acceptance", state.hub, since)


def _first_contact(state: Referral, contract: Contract) -> Running | None:
    hop = state.held
    if hop is None or hop.status is HopStatus.ON_HOLD or hop.contacted_at is not None:
        return None
    if CONTACT_PROHIBITED in state.flags:
        return None
    return _started(state, contract, "first-contact", hop.organization, hop.accepted_at, hop)


def _service_start(state: Referral, contract: Contract) -> Running | None:
    hop = state.held
    if hop is None or hop.status is not HopStatus.ACCEPTED:
        return None
    return _started(state, contract, "service-start", hop.organization, hop.accepted_at, hop)


def _hold_review(state: Referral, contract: Contract) -> Running | None:
    hop = state.held
    if hop is None or hop.status is not HopStatus.ON_HOLD or hop.review_date is None:
        return None
    due = opening(contract.calendar, date.fromisoformat(hop.review_date))
    return Running(HOLD_REVIEW, hop.organization, hop.pauses[-1][0], due, None, hop.hop)


def _review(state: Referral, contract: Contract) -> Running | None:
    since = state.review_since if state.status is ReferralStatus.NEEDS_REVIEW else None
    return _started(state, contract, "review", state.hub, since)


def _authorization(state: Referral, contract: Contract) -> Running | None:
    asked, due = state.approval_asked_at, state.approval_due_at
    if asked is None or due is None or (state.authorization or {}).get("status") != "pending":
        return None
    clock = contract.clocks.get("authorization")
    business = clock is not None and clock.span(state.priority).business
    return Running("authorization", state.payer or "", asked, due, contract.calendar if business else None)


def _closure(state: Referral, contract: Contract) -> Running | None:
    hop = state.held
    return _started(state, contract, "closure", hop.organization if hop else state.hub, state.created_at)


# The recipient's clocks stand still on hold; acceptance and closure are end to end and never pause.
CLOCKS: tuple[Callable[[Referral, Contract], Running | None], ...] = (
    _first_response,
    _acceptance,
    _first_contact,
    _service_start,
    _hold_review,
    _review,
    _authorization,
    _closure,
)
