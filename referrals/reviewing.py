"""The hub's own acts on a referral it reviews: assign one service, offer it to several, close it, take it up again.

Comes in: the referral, an Assign or a Respond of its hub. Goes out: facts, or a Rejection. Pure.
"""

from referrals import approval
from referrals import commands as c
from referrals import events as e
from referrals.closing import ENDINGS, wrong_outcome
from referrals.contracts import contract_of
from referrals.directory import Service
from referrals.errors import RejectionReason as No
from referrals.placing import World
from referrals.state import Referral
from referrals.transitions import MONTH, STEPS

Decision = tuple[e.Fact, ...] | c.Rejection


def assign(state: Referral, command: c.Assign, envelope: c.Envelope, world: World) -> Decision:
    """Ask the services a navigator picked: one, or several of which the first to accept wins."""
    if envelope.organization != state.hub:
        return c.Rejection(No.NOT_PERMITTED, "only the hub that reviews this referral assigns it")
    if state.status not in STEPS["assign"].sources:
        return c.Rejection(No.ILLEGAL, f"the referral is {state.status}, not needs-review")
    if (stale := _stale(state, command.version)) is not None:
        return stale
    if approval.holds_back(state):
        return c.Rejection(No.NOT_AUTHORIZED, f"{state.payer} must approve before anybody is asked")
    picked = [world.directory.services.get(id) for id in command.services]
    services = [s for s in picked if s is not None and s.active]
    if len(services) < len(picked):
        return c.Rejection(No.UNKNOWN_SERVICE, "pick an active service of the directory")
    full = (text for s in services if (text := world.standings.full(s, envelope.at.date())))
    if (wrong := _asked_before(state, services)) is not None:
        return wrong
    if (detail := next(full, None)) is not None:
        return c.Rejection(No.ILLEGAL, f"{detail}; pick another service")
    chosen = [
        e.Fact(e.ServiceAssigned(service=s.id, organization=s.organization, reason=command.reason))
        for s in services
    ]
    return (*chosen, *world.requests(state, services, envelope.at, assigned=True))


def _asked_before(state: Referral, services: list[Service]) -> c.Rejection | None:
    organizations = [s.organization for s in services]
    if any(h.organization in organizations for h in state.hops):
        return c.Rejection(No.ILLEGAL, "this organization was asked before; pick another")
    if len(set(organizations)) < len(organizations):
        return c.Rejection(No.INVALID, "pick one service of each organization")
    most = contract_of(state.contract).hop_limit
    if len(organizations) > most:
        return c.Rejection(No.INVALID, f"ask at most {most} organizations at once")
    return None


def review(state: Referral, command: c.Respond, envelope: c.Envelope, world: World) -> Decision | None:
    """The hub closes what waits for it, or takes up again what it had closed; None: it answers a hop."""
    if envelope.organization != state.hub or command.hop is not None or envelope.on_behalf_of is not None:
        return None
    if command.action in ENDINGS:
        return _close(state, command, envelope, world)
    ended = {str(h.status) for h in state.hops if not h.passed_on}
    if command.action == "reopen" and str(state.status) not in ended:
        return _reopen(state, command, envelope)
    return None


def _close(state: Referral, command: c.Respond, envelope: c.Envelope, world: World) -> Decision:
    status = str(ENDINGS[command.action])
    if (
        state.outcome is not None
        and str(state.status) == status
        and state.outcome.code == command.outcome_code
    ):
        return ()
    if state.status not in STEPS["close"].sources:
        return c.Rejection(No.ILLEGAL, f"the referral is {state.status}; the hub closes what it reviews")
    stale = _stale(state, command.version)
    if (wrong := stale or wrong_outcome(command, envelope.at)) is not None:
        return wrong
    closed = e.ReferralClosed(
        status=status,
        outcome=command.outcome_code or "",
        need=command.outcome_need or "unknown",
        follow_up=command.details.get("follow_up"),
    )
    return (e.Fact(closed, world.seal((command.note or "").encode())),)


def _reopen(state: Referral, command: c.Respond, envelope: c.Envelope) -> Decision:
    if state.status not in STEPS["reopen"].sources or state.closed_at is None:
        return c.Rejection(No.CLOSED, f"the referral is {state.status}; it has no outcome to change")
    if envelope.at - state.closed_at > MONTH:
        detail = f"it closed more than {MONTH.days} days ago; ask for a new referral"
        return c.Rejection(No.CLOSED, detail)
    return _stale(state, command.version) or (e.Fact(e.ReferralReopened()),)


def _stale(state: Referral, version: int | None) -> c.Rejection | None:
    if version is None or version == state.version:
        return None
    return c.Rejection(No.STALE, f"the referral is at version {state.version}, not {version}")
