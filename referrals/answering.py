"""An answer to a hop: may this organization take this action now, and what facts does it make?

Comes in: the referral, a Respond, its envelope, the world as loaded. Goes out: facts, or a Rejection. Pure.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from msgspec import structs

from referrals import approval, words
from referrals import commands as c
from referrals import events as e
from referrals.assisting import answers_for, too_soon
from referrals.check import parse_date
from referrals.closing import ENDINGS, goes_on, tried_too_little, wrong_outcome
from referrals.errors import RejectionReason as No
from referrals.offers import TAKEN, handed_on, next_round, others_asked, superseded
from referrals.placing import World
from referrals.reviewing import Decision, review
from referrals.state import Hop, Referral
from referrals.transitions import TRANSITIONS, Transition
from referrals.words import HopStatus, ReferralStatus

HANDS_OFF = "do not contact the person"
WHY_REVIEW = {
    "more-information-needed": "the organization needs more information before it can decide",
    "organization-withdrew": "the organization gave the referral back after accepting it",
}


def respond(state: Referral, command: c.Respond, envelope: c.Envelope, world: World) -> Decision:
    """The facts of an answer; an empty tuple when the hop is as asked for already."""
    if (made := review(state, command, envelope, world)) is not None:
        return made
    row = TRANSITIONS.get(command.action)
    hop = _hop_of(state, command.hop, envelope, row is not None and row.hub)
    if isinstance(hop, c.Rejection):
        return hop
    if row is None:
        known = ", ".join(TRANSITIONS)
        return c.Rejection(No.ILLEGAL, f"`{command.action}` is not an action; use {known}")
    if command.version is not None and command.version != state.version:
        return c.Rejection(No.STALE, f"the referral is at version {state.version}, not {command.version}")
    if row.target is not None and hop.status is row.target:
        return ()
    if command.action == "transfer" and command.reason is None:
        command = structs.replace(command, reason="transferred")
    if (wrong := _untimely(state, hop, command, envelope, row) or _incomplete(command, envelope)) is not None:
        return wrong
    if (wrong := tried_too_little(state, hop, command)) is not None:
        return wrong
    if (refused := approval.refused(state, hop, command, envelope)) is not None:
        return refused
    return _FACTS.get(command.action, _alone)(state, hop, command, envelope, world)


def _hop_of(state: Referral, hop: str | None, envelope: c.Envelope, hub_may: bool) -> Hop | c.Rejection:
    organization = answers_for(state, envelope)
    hub = hub_may and organization == state.hub
    fits = (h for h in reversed(state.hops) if h.organization == organization or hub)
    found = state.hop(hop) if hop else next(fits, None)
    if found is None:
        return c.Rejection(No.UNKNOWN_HOP, "this referral has no such hop of yours")
    if hub:
        return found
    if found.organization != organization:
        return c.Rejection(No.NOT_PERMITTED, "this hop is another organization's")
    return too_soon(state, found, envelope) or found


def _untimely(
    state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope, row: Transition
) -> c.Rejection | None:
    """Why the action comes at the wrong time, or None."""
    if command.action == "accept" and (lost := _lost(state, hop)) is not None:
        return lost
    if hop.status not in row.sources:
        return c.Rejection(No.ILLEGAL, f"a hop that is {hop.status} cannot be asked to `{command.action}`")
    return _window(state, hop, envelope, row)


def _lost(state: Referral, hop: Hop) -> c.Rejection | None:
    """Why an acceptance has lost the referral, with what that means for the person; None: it may be tried."""
    late = hop.status in TRANSITIONS["accept"].sources
    if hop.reason == TAKEN or (late and state.held is not None):
        return c.Rejection(No.TAKEN, f"another organization has accepted this referral; {HANDS_OFF}")
    if late and state.status in words.TERMINAL:
        return c.Rejection(No.CLOSED, f"the referral is {state.status}; {HANDS_OFF}")
    if hop.status is HopStatus.CANCELLED:
        return c.Rejection(No.ILLEGAL, f"this request was taken back; {HANDS_OFF}")
    return None


def _window(state: Referral, hop: Hop, envelope: c.Envelope, row: Transition) -> c.Rejection | None:
    """Why an outcome can no longer be changed by this hop, or None."""
    if row.window is None:
        return None
    if hop.passed_on:
        return c.Rejection(No.ILLEGAL, "the referral went on to another organization after this outcome")
    if state.status not in (ReferralStatus.COMPLETED, ReferralStatus.FAILED) or state.closed_at is None:
        return c.Rejection(No.CLOSED, f"the referral is {state.status}; it has no outcome to change")
    if envelope.at - state.closed_at > row.window:
        days = row.window.days
        return c.Rejection(No.CLOSED, f"it closed more than {days} days ago; ask for a new referral")
    return None


def _incomplete(command: c.Respond, envelope: c.Envelope) -> c.Rejection | None:
    """What the answer lacks, or None: a code of the action's list, words for `other`, a review date."""
    table = TRANSITIONS[command.action].reasons
    if command.action == "hold":
        day = parse_date(str(command.details.get("review_date") or ""))
        if day is None or day < (envelope.at - timedelta(days=1)).date():
            return c.Rejection(No.INVALID, "review_date must be a day to come, YYYY-MM-DD")
    if table is None:
        return None
    if table == "outcomes":
        return wrong_outcome(command, envelope.at)
    if command.reason not in words.table(table):
        return c.Rejection(No.INVALID, f"reason must be one of {', '.join(words.table(table))}")
    if command.reason == "other" and not command.note:
        return c.Rejection(No.INVALID, "`other` needs a note that says what")
    if command.details.get("close_service") and not words.table(table)[command.reason].get("closes"):
        with_these = ", ".join(reason for reason, row in words.table(table).items() if row.get("closes"))
        return c.Rejection(
            No.INVALID, f"close_service goes with a reason that says so: {with_these or 'none'}"
        )
    return None


def _fact(
    hop: Hop, command: c.Respond, world: World, kind: type[e.HopEvent] | None = None, **more: Any
) -> e.Fact:
    """The fact of the action, its fields from the command, its details and `more`; the note sealed."""
    kind = kind or TRANSITIONS[command.action].event
    given = {k: v for k, v in command.details.items() if v is not None}
    given |= {"hop": hop.hop, "reason": command.reason, "outcome": command.outcome_code}
    given |= {"need": command.outcome_need or None} | more
    if command.action == "record-service":
        given.setdefault("service_event_id", "")
    event = kind(**{k: v for k, v in given.items() if k in kind.__struct_fields__ and v is not None})
    return e.Fact(cast(e.Event, event), world.seal((command.note or "").encode()))


def _alone(state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope, world: World) -> Decision:
    return (_fact(hop, command, world),)


def _accepted(state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope, world: World) -> Decision:
    """The first to accept wins; who else was asked is told, before this organization holds it."""
    return (*superseded(state, hop), _fact(hop, command, world))


def _ended(state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope, world: World) -> Decision:
    """The end with its outcome; a failure that another organization may not have asks the next one."""
    if not goes_on(state, command):
        return (_fact(hop, command, world),)
    return (_fact(hop, command, world, e.HopFellThrough), *next_round(state, hop, envelope, world))


def _delivered(state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope, world: World) -> Decision:
    """A service as it was delivered, once; or, with `void` or no units, that it was not after all."""
    said = {name: command.details.get(name) for name in ("service_event_id", "code", "date", "units")}
    named = {"hop": hop.hop, "service_event_id": str(said["service_event_id"] or "")}
    known = next((s for s in state.services_delivered if named.items() <= s.items()), None)
    if command.details.get("void") or said["units"] == 0:
        if known is None:
            return c.Rejection(No.ILLEGAL, "no service of this service_event_id is recorded; nothing to void")
        return (_fact(hop, command, world, e.ServiceVoided),)
    if known is None or not named["service_event_id"]:
        return (_fact(hop, command, world),)
    if said.items() <= known.items():
        return ()
    return c.Rejection(No.ILLEGAL, "this service_event_id is recorded with other values; void it first")


def _given_back(
    state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope, world: World
) -> Decision:
    """A rejection or withdrawal: the reason's row says whether the next organization is asked or a person."""
    table, reason = TRANSITIONS[command.action].reasons or "", command.reason or ""
    fact = _fact(hop, command, world)
    if others_asked(state, hop) or words.table(table)[reason]["reroute"]:
        return (fact, *next_round(state, hop, envelope, world))
    why = "more-information-needed" if reason == "more-information-needed" else "organization-withdrew"
    return (fact, e.Fact(e.ReviewNeeded(reason=why, detail=WHY_REVIEW[why])))


def _transferred(
    state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope, world: World
) -> Decision:
    """Handed on: the organization it names is preferred unless the sender allows its own choice alone."""
    service = world.directory.services.get(str(command.details.get("service") or ""))
    to = command.details.get("organization") or (service.organization if service else None)
    if to is not None and world.organizations.get(to) != "cbo":
        return c.Rejection(No.INVALID, "organization must be a CBO of the exchange, or leave it to routing")
    if any(h.organization == to for h in state.hops):
        return c.Rejection(No.ILLEGAL, "this organization was asked before; name another")
    seen = state if to is None or state.routing == "preferred-only" else structs.replace(state, preferred=to)
    fact = _fact(hop, command, world, to=to)
    return (fact, *handed_on(seen, hop, envelope, world))


def _corrected(state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope, world: World) -> Decision:
    """The outcome changed, old and new recorded; an outcome that goes with the other ending changes it too."""
    assert state.outcome is not None and command.outcome_code is not None
    before, code = state.outcome, command.outcome_code
    need = command.outcome_need or before.need or "unknown"
    if (code, need) == (before.code, before.need):
        return ()
    endings = [ENDINGS[action] for action in words.table("outcomes")[code]["ends"]]
    status = hop.status if hop.status in endings else endings[0]
    said: dict[str, Any] = {"status": str(status), "need": need}
    said |= {"outcome_before": before.code, "need_before": before.need or "unknown"}
    return (_fact(hop, command, world, **said),)


_FACTS: dict[str, Callable[[Referral, Hop, c.Respond, c.Envelope, World], Decision]] = {
    "accept": _accepted,
    "complete": _ended,
    "fail": _ended,
    "record-service": _delivered,
    "reject": _given_back,
    "cancel": _given_back,
    "transfer": _transferred,
    "correct": _corrected,
}
