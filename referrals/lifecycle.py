"""Step 4, lifecycle: TRANSITIONS, the table, and decide(state, command) -> facts, or a Rejection.

Comes in: the referral (or None), one command with its envelope, the world as loaded. Goes out: facts in order, an
empty tuple when nothing changes, or why the command has no effect. Pure: `now` is the envelope's `at`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from referrals import commands as c
from referrals import events as e
from referrals import words
from referrals.errors import RejectionReason as No
from referrals.placing import World, place
from referrals.state import Hop, Referral
from referrals.submitting import submit
from referrals.words import HELD, HopStatus, ReferralStatus

Decision = tuple[e.Fact, ...] | c.Rejection


class Transition(NamedTuple):
    """One row: from which hop statuses an action may be taken, to which it leads (None = stays), its reasons."""

    sources: frozenset[HopStatus]
    target: HopStatus | None
    event: type[e.HopEvent]
    reasons: str | None = None


_REQUESTED = frozenset({HopStatus.REQUESTED})
_ANY = frozenset(HopStatus)
H = HopStatus

# action -> what it may do. Buttons, diagrams and checks derive from this table.
TRANSITIONS: dict[str, Transition] = {
    "accept": Transition(_REQUESTED, H.ACCEPTED, e.HopAccepted),
    "reject": Transition(_REQUESTED, H.REJECTED, e.HopRejected, "reject_reasons"),
    "contact": Transition(HELD, None, e.ContactMade),
    "start": Transition(HELD - {H.IN_PROGRESS}, H.IN_PROGRESS, e.HopStarted),
    "hold": Transition(HELD - {H.ON_HOLD}, H.ON_HOLD, e.HopHeld, "hold_reasons"),
    "resume": Transition(frozenset({H.ON_HOLD}), H.IN_PROGRESS, e.HopResumed),
    "record-service": Transition(HELD, None, e.ServiceDelivered),
    "complete": Transition(HELD, H.COMPLETED, e.HopCompleted, "outcomes"),
    "fail": Transition(HELD, H.FAILED, e.HopFailed, "outcomes"),
    "note": Transition(_ANY, None, e.NoteAdded),
}
# Actions whose rules come with a later issue; they are refused by name, not as unknown.
LATER = frozenset({"cancel", "transfer", "correct", "reopen"})


def decide(state: Referral | None, command: c.Command, envelope: c.Envelope, world: World) -> Decision:
    """The facts a command makes, in order; total over every command and every state."""
    if isinstance(command, c.Submit):
        return submit(state, command, envelope, world)
    if state is None:
        return c.Rejection(No.UNKNOWN_REFERRAL, "no such referral; send it first")
    return _DECIDE[type(command)](state, command, envelope, world)


def allowed_actions(status: HopStatus) -> tuple[str, ...]:
    """The actions a hop's status allows: what buttons show."""
    return tuple(action for action, row in TRANSITIONS.items() if status in row.sources)


def _respond(state: Referral, command: c.Respond, envelope: c.Envelope, world: World) -> Decision:
    hop = _hop_of(state, command.hop, envelope.organization)
    row = TRANSITIONS.get(command.action)
    if isinstance(hop, c.Rejection):
        return hop
    if row is None:
        later = " yet" if command.action in LATER else ""
        return c.Rejection(
            No.ILLEGAL, f"`{command.action}` is not an action{later}; use {', '.join(TRANSITIONS)}"
        )
    if command.version is not None and command.version != state.version:
        return c.Rejection(No.STALE, f"the referral is at version {state.version}, not {command.version}")
    if row.target is not None and hop.status is row.target:
        return ()
    if hop.status not in row.sources:
        return c.Rejection(No.ILLEGAL, f"a hop that is {hop.status} cannot be asked to `{command.action}`")
    return _answered(state, hop, command, envelope, world)


def _hop_of(state: Referral, hop: str | None, organization: str) -> Hop | c.Rejection:
    found = (
        state.hop(hop)
        if hop
        else next((h for h in reversed(state.hops) if h.organization == organization), None)
    )
    if found is None:
        return c.Rejection(No.UNKNOWN_HOP, "this referral has no such hop of yours")
    if found.organization != organization:
        return c.Rejection(No.NOT_PERMITTED, "this hop is another organization's")
    return found


def _answered(state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope, world: World) -> Decision:
    if (wrong := _wrong_code(command)) is not None:
        return wrong
    fields = _fields(hop, command)
    event = TRANSITIONS[command.action].event(**fields)
    fact = e.Fact(cast(e.Event, event), world.seal((command.note or "").encode()))
    if command.action != "reject":
        return (fact,)
    if words.table("reject_reasons")[command.reason or ""]["reroute"]:
        return (fact, *place(state, envelope, world, asked=frozenset({hop.organization})))
    detail = "the organization needs more information before it can decide"
    return (fact, e.Fact(e.ReviewNeeded(reason="more-information-needed", detail=detail)))


def _wrong_code(command: c.Respond) -> c.Rejection | None:
    table = TRANSITIONS[command.action].reasons
    if table is None:
        return None
    code = command.outcome_code if table == "outcomes" else command.reason
    row = words.table(table).get(code or "")
    if row is None:
        field = "outcome.code" if table == "outcomes" else "reason"
        return c.Rejection(No.INVALID, f"{field} must be one of {', '.join(words.table(table))}")
    if table == "outcomes" and command.action not in row["ends"]:
        return c.Rejection(No.INVALID, f"outcome `{code}` does not go with `{command.action}`")
    if code == "other" and not command.note:
        return c.Rejection(No.INVALID, "`other` needs a note that says what")
    if command.outcome_need and command.outcome_need not in words.table("need_outcomes"):
        return c.Rejection(
            No.INVALID, f"outcome.need must be one of {', '.join(words.table('need_outcomes'))}"
        )
    return None


def _fields(hop: Hop, command: c.Respond) -> dict[str, Any]:
    """The fields of the action's event, from the command and its details."""
    wanted = TRANSITIONS[command.action].event.__struct_fields__
    given = {k: v for k, v in command.details.items() if v is not None}
    given |= {"hop": hop.hop, "reason": command.reason, "outcome": command.outcome_code}
    if command.outcome_need:
        given["need"] = command.outcome_need
    if command.action == "record-service":
        given.setdefault("service_event_id", "")
    return {k: v for k, v in given.items() if k in wanted and v is not None}


def _cancel(state: Referral, command: c.Cancel, envelope: c.Envelope, world: World) -> Decision:
    if envelope.organization != state.sender:
        return c.Rejection(No.NOT_PERMITTED, "only its sender takes a referral back")
    if state.status is ReferralStatus.CANCELLED:
        return ()
    if state.status in words.TERMINAL:
        return c.Rejection(No.CLOSED, f"the referral is {state.status}; it cannot be cancelled any more")
    if command.reason not in words.table("cancel_reasons"):
        return c.Rejection(No.INVALID, f"reason must be one of {', '.join(words.table('cancel_reasons'))}")
    hops = [e.Fact(e.HopCancelled(hop=h.hop, reason=command.reason)) for h in state.open_hops]
    note = world.seal((command.note or "").encode())
    return (*hops, e.Fact(e.ReferralCancelled(reason=command.reason), note))


def _assign(state: Referral, command: c.Assign, envelope: c.Envelope, world: World) -> Decision:
    if envelope.organization != state.hub:
        return c.Rejection(No.NOT_PERMITTED, "only the hub that reviews this referral assigns it")
    if state.status is not ReferralStatus.NEEDS_REVIEW:
        return c.Rejection(No.ILLEGAL, f"the referral is {state.status}, not needs-review")
    if command.version is not None and command.version != state.version:
        return c.Rejection(No.STALE, f"the referral is at version {state.version}, not {command.version}")
    service = world.directory.services.get(command.service)
    if service is None or not service.active:
        return c.Rejection(No.UNKNOWN_SERVICE, "pick an active service of the directory")
    if any(h.organization == service.organization for h in state.hops):
        return c.Rejection(No.ILLEGAL, "this organization was asked before; pick another")
    chosen = e.ServiceAssigned(service=service.id, organization=service.organization, reason=command.reason)
    return (e.Fact(chosen), e.Fact(world.request(state, service, envelope.at)))


def _authorize(state: Referral, command: c.Authorize, envelope: c.Envelope, world: World) -> Decision:
    if envelope.organization != state.payer:
        return c.Rejection(No.NOT_PERMITTED, "only the referral's payer authorizes it")
    if command.status not in ("approved", "partial", "denied"):
        return c.Rejection(No.INVALID, "status must be approved, partial or denied")
    details = {("from_" if k == "from" else k): v for k, v in command.details.items()}
    known = {
        k: v for k, v in details.items() if k in e.AuthorizationDecided.__struct_fields__ and k != "status"
    }
    return (e.Fact(e.AuthorizationDecided(status=command.status, **known)),)


def _deadline_due(state: Referral, command: c.DeadlineDue, envelope: c.Envelope, world: World) -> Decision:
    hop = state.response_due
    if hop is None or hop.number != command.generation:
        return ()
    expired = e.Fact(e.HopExpired(hop=hop.hop))
    return (expired, *place(state, envelope, world, asked=frozenset({hop.organization})))


_DECIDE: dict[type[Any], Callable[[Referral, Any, c.Envelope, World], Decision]] = {
    c.Respond: _respond,
    c.Cancel: _cancel,
    c.Assign: _assign,
    c.Authorize: _authorize,
    c.DeadlineDue: _deadline_due,
}
