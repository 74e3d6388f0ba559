"""What waits for the plan's approval, and how far an approval goes: the questions other rules ask.

Comes in: the referral, an answer to a hop. Goes out: facts that ask the plan, or a Rejection that says who must act.
Pure; the plan's decision itself is authorizing.py.
"""

from datetime import datetime
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

from referrals import commands as c
from referrals import events as e
from referrals import words
from referrals.check import parse_time
from referrals.contracts import contract_of
from referrals.errors import RejectionReason as No
from referrals.state import Hop, Referral

GRANTED = frozenset({"approved", "partial"})
# What is help, and so not given before an approval that must come before start.
HELPING = frozenset({"start", "resume", "record-service", "complete"})


def is_pending(state: Referral) -> bool:
    """Whether the contract wants an approval that is not there (asked or not, denied included)."""
    return state.approval != "none" and (state.authorization or {}).get("status") not in GRANTED


def holds_back(state: Referral) -> bool:
    """Whether no organization may be asked yet."""
    return state.approval == "before-routing" and is_pending(state)


def ask(state: Referral, at: datetime) -> tuple[e.Fact, ...]:
    """The fact that asks the plan, once; nothing when the contract wants no approval or the plan was asked."""
    if state.approval == "none" or state.authorization is not None or state.payer is None:
        return ()
    due = contract_of(state.contract).due("authorization", state.priority, at)
    before = state.approval.removeprefix("before-")
    return (e.Fact(e.AuthorizationRequested(payer=state.payer, before=before, due_at=due)),)


def is_denied(state: Referral) -> bool:
    """Whether the plan denied what its contract makes it approve: nobody is asked again then."""
    return state.approval != "none" and (state.authorization or {}).get("status") == "denied"


def not_authorized() -> e.Fact:
    """The end of a referral that the plan denied and nobody holds."""
    return e.Fact(e.ReferralClosed(status="failed", outcome="not-authorized", need="unresolved"))


def refused(state: Referral, hop: Hop, command: c.Respond, envelope: c.Envelope) -> c.Rejection | None:
    """Why an answer is not allowed by the plan's decision or the lack of one, or None."""
    if command.action not in HELPING:
        return None
    if is_pending(state) and hop.started_at is None:
        detail = f"{state.payer} must approve before help starts; next_action says by when"
        return c.Rejection(No.NOT_AUTHORIZED, detail)
    return _beyond(state, command, envelope) if command.action == "record-service" else None


def _beyond(state: Referral, command: c.Respond, envelope: c.Envelope) -> c.Rejection | None:
    """Why a delivered service lies outside what the plan approved; one without units counts as one."""
    said, given = command.details, state.authorization or {}
    units = said.get("units")
    if isinstance(units, int | float) and units < 0:
        return c.Rejection(No.INVALID, "units must not be negative")
    if said.get("void") or units == 0 or given.get("status") not in GRANTED:
        return None
    zone = ZoneInfo(contract_of(state.contract).calendar.time_zone)
    day = str(said.get("date") or envelope.occurred_at.astimezone(zone).date())[:10]
    first, last = (str(given.get(k) or day)[:10] for k in ("from", "to"))
    if not first <= day <= last:
        dates = f"from {given.get('from') or 'any day'} to {given.get('to') or 'any day'}"
        return c.Rejection(No.NOT_AUTHORIZED, f"{state.payer} approved services {dates}; {day} is outside")
    if (limit := given.get("units")) is None:
        return None
    event = said.get("service_event_id")
    used = sum(_units(s) for s in state.services_delivered if s.get("service_event_id") != event)
    left = round(limit - used, 6)
    if _units(said) > left:
        detail = f"{state.payer} approved {limit:g} units and {max(left, 0):g} are left; ask it for more"
        return c.Rejection(No.NOT_AUTHORIZED, detail)
    return None


def _units(service: dict[str, Any]) -> float:
    units = service.get("units")
    return 1.0 if units is None else float(units)


def problems(status: str, said: dict[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a plan's decision, as (field, what to do)."""
    found = []
    if status not in words.AUTHORIZATIONS:
        found.append(("status", f"use one of {', '.join(words.AUTHORIZATIONS)}"))
    units = said.get("units")
    if units is not None and not (isinstance(units, int | float) and isfinite(units) and units > 0):
        found.append(("units", "must be a number above 0; leave it out when there is no limit"))
    days = {k: parse_time(str(said[k])) for k in ("from", "to") if said.get(k) is not None}
    found += [(k, "not a date; send YYYY-MM-DD") for k, day in days.items() if day is None]
    first, last = days.get("from"), days.get("to")
    if first is not None and last is not None and last < first:
        found.append(("to", "lies before from"))
    return found
