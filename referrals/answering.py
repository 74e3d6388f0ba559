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
from referrals.check import parse_date
from referrals.errors import RejectionReason as No
from referrals.placing import World, place
from referrals.state import Hop, Referral
from referrals.transitions import TRANSITIONS, Transition
from referrals.words import HELD, HopStatus, ReferralStatus

Decision = tuple[e.Fact, ...] | c.Rejection
ENDINGS = {"complete": HopStatus.COMPLETED, "fail": HopStatus.FAILED}
HANDS_OFF = "do not contact the person"
WHY_REVIEW = {
    "more-information-needed": "the organization needs more information before it can decide",
    "organization-withdrew": "the organization gave the referral back after accepting it",
}


def respond(state: Referral, command: c.Respond, envelope: c.Envelope, world: World) -> Decision:
    """The facts of an answer; an empty tuple when the hop is as asked for already."""
    row = TRANSITIONS.get(command.action)
    hop = _hop_of(state, command.hop, envelope.organization, row is not None and row.hub)
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
    if (refused := approval.refused(state, hop, command, envelope)) is not None:
        return refused
    return _FACTS.get(command.action, _alone)(state, hop, command, envelope, world)


def _hop_of(state: Referral, hop: str | None, organization: str, hub_may: bool) -> Hop | c.Rejection:
    hub = hub_may and organization == state.hub
    fits = (h for h in reversed(state.hops) if h.organization == organization or hub)
    found = state.hop(hop) if hop else next(fits, None)
    if found is None:
        return c.Rejection(No.UNKNOWN_HOP, "this referral has no such hop of yours")
    if found.organization != organization and not hub:
        return c.Rejection(No.NOT_PERMITTED, "this hop is another organization's")
    return found


def _untimely(
    state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope, row: Transition
) -> c.Rejection | None:
    """Why the action comes at the wrong time, or None."""
    if hop.status not in row.sources:
        told = f"; {HANDS_OFF}" if command.action == "accept" and hop.status is HopStatus.CANCELLED else ""
        return c.Rejection(
            No.ILLEGAL, f"a hop that is {hop.status} cannot be asked to `{command.action}`{told}"
        )
    if command.action == "accept" and state.status in words.TERMINAL:
        return c.Rejection(No.CLOSED, f"the referral is {state.status}; {HANDS_OFF}")
    if command.action == "accept" and any(h.status in HELD for h in state.hops):
        return c.Rejection(No.TAKEN, f"another organization has accepted this referral; {HANDS_OFF}")
    if row.window is None:
        return None
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
    field = "outcome.code" if table == "outcomes" else "reason"
    code = command.outcome_code if table == "outcomes" else command.reason
    row = words.table(table).get(code or "")
    if row is None:
        return c.Rejection(No.INVALID, f"{field} must be one of {', '.join(words.table(table))}")
    if command.action in ENDINGS and command.action not in row["ends"]:
        return c.Rejection(No.INVALID, f"outcome `{code}` does not go with `{command.action}`")
    if code == "other" and not command.note:
        return c.Rejection(No.INVALID, "`other` needs a note that says what")
    needs = words.table("need_outcomes")
    if command.outcome_need and command.outcome_need not in needs:
        return c.Rejection(No.INVALID, f"outcome.need must be one of {', '.join(needs)}")
    return None


def _fact(hop: Hop, command: c.Respond, world: World, **more: Any) -> e.Fact:
    """The fact of the action, its fields from the command, its details and `more`; the note sealed."""
    kind = TRANSITIONS[command.action].event
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
    others = (h for h in state.hops if h.status is HopStatus.REQUESTED and h.hop != hop.hop)
    return (
        *(e.Fact(e.HopSuperseded(hop=h.hop, reason="accepted-elsewhere")) for h in others),
        _fact(hop, command, world),
    )


def _given_back(
    state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope, world: World
) -> Decision:
    """A rejection or withdrawal: the reason's row says whether the next organization is asked or a person."""
    table, reason = TRANSITIONS[command.action].reasons or "", command.reason or ""
    fact = _fact(hop, command, world)
    if words.table(table)[reason]["reroute"]:
        return (fact, *place(state, envelope, world, asked=frozenset({hop.organization})))
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
    return (fact, *place(seen, envelope, world, asked=frozenset({hop.organization})))


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
    "reject": _given_back,
    "cancel": _given_back,
    "transfer": _transferred,
    "correct": _corrected,
}
