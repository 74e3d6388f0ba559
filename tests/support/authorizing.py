"""Referrals that wait for a plan: one contract wants its approval, before routing or before start; for unit tests."""

from datetime import timedelta
from typing import Any

from referrals import commands as c
from referrals import events as e
from referrals.placing import World
from referrals.state import Referral
from tests.support.referrals import NOW, applied, envelope, refused, service, submit, world

BEDS = [service(f"shelter-{n}", domains=("homelessness", "food-insecurity")) for n in range(1, 4)]
PLAN = "cedar-health-plan"
OTHER = "golden-health-plan"
PLAIN = world(*BEDS)
WORLD = PLAIN._replace(organizations={**PLAIN.organizations, PLAN: "mco", OTHER: "mco"})
COVERED: dict[str, Any] = {"coverage": {"payer": PLAN, "member_id": "M-1"}}
REVIEW = {"review_date": "2026-12-01"}
# An address of no need of its own: homelessness waits for approval before routing, food before start.
BEFORE_ROUTING: dict[str, Any] = COVERED | {"need": {"domain": "homelessness"}}
APPROVED = c.Authorize("approved", {"number": "A-1"})
PARTIAL = c.Authorize("partial", {"number": "A-2", "units": 3, "from": "2026-11-02", "to": "2026-11-30"})
DENIED = c.Authorize("denied", {"reason": "not a benefit"})


def act(
    state: Referral | None,
    command: c.Command,
    who: str = PLAN,
    w: World = WORLD,
    after: timedelta = timedelta(0),
) -> tuple[Referral, list[str]]:
    """The state after a command that is not refused, and the types of its events."""
    made, events = applied(state, command, envelope(who, at=NOW + after), w)
    return made, [e.type_of(event) for event in events]


def no(state: Referral, command: c.Command, who: str | None = None) -> c.Rejection:
    """Why a command of whom was asked last, or of another, has no effect."""
    return refused(state, command, envelope(who or state.hops[-1].organization), WORLD)


def sent(**changes: Any) -> Referral:
    """A referral whose payer's contract wants an approval."""
    return act(None, submit(**(COVERED | changes)), "clinic")[0]


def step(state: Referral, action: str, **fields: Any) -> Referral:
    """After an answer of whom was asked last."""
    return act(state, c.Respond(action=action, **fields), state.hops[-1].organization)[0]


def accepted() -> Referral:
    """Accepted, and the plan has not decided."""
    return step(sent(), "accept")


def held(state: Referral) -> Referral:
    """On hold until the plan decides."""
    return step(state, "hold", reason="waiting-authorization", details=REVIEW)


def served(state: Referral, id: str, units: float | None = 1, date: str | None = "2026-11-05") -> c.Respond:
    """The record of one service delivered."""
    return c.Respond(action="record-service", details={"service_event_id": id, "units": units, "date": date})
