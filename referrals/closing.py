"""Closing: which outcome may be said when, and what it makes of the referral: the end, or the next organization.

Comes in: the referral, the hop if it is one's, an answer with an outcome. Goes out: what is wrong with it, or whether
it goes on. Pure; the table is data/outcomes.json.
"""

from datetime import datetime

from referrals import words
from referrals.check import parse_date
from referrals.commands import Rejection, Respond
from referrals.contracts import contract_of
from referrals.errors import RejectionReason as No
from referrals.state import Hop, Referral
from referrals.words import HopStatus

ENDINGS = {"complete": HopStatus.COMPLETED, "fail": HopStatus.FAILED}
UNREACHABLE = "client-unreachable"


def wrong_outcome(command: Respond, at: datetime) -> Rejection | None:
    """What an outcome lacks by itself: a code that goes with the action, its need, a day to come."""
    table, needs = words.table("outcomes"), words.table("need_outcomes")
    row = table.get(command.outcome_code or "")
    if row is None:
        return Rejection(No.INVALID, f"outcome.code must be one of {', '.join(table)}")
    if command.action in ENDINGS and command.action not in row["ends"]:
        detail = f"outcome `{command.outcome_code}` does not go with `{command.action}`"
        return Rejection(No.INVALID, detail)
    if row["text_required"] and not command.note:
        return Rejection(No.INVALID, f"`{command.outcome_code}` needs a note that says what")
    if command.outcome_need and command.outcome_need not in needs:
        return Rejection(No.INVALID, f"outcome.need must be one of {', '.join(needs)}")
    if (follow_up := command.details.get("follow_up")) is not None:
        day = parse_date(str(follow_up))
        if day is None or day < at.date():
            return Rejection(No.INVALID, "follow_up must be a day to come, YYYY-MM-DD")
    return None


def tried_too_little(state: Referral, hop: Hop, command: Respond) -> Rejection | None:
    """`client-unreachable` only after as many attempts as the contract asks for."""
    asked = contract_of(state.contract).contact_attempts
    if command.outcome_code != UNREACHABLE or hop.attempts >= asked:
        return None
    detail = f"the contract asks for {asked} attempts to reach the person, {hop.attempts} are recorded; "
    return Rejection(No.ILLEGAL, detail + "record each with `contact`, reached false")


def goes_on(state: Referral, command: Respond) -> bool:
    """Whether a failure asks the next organization, by its row; not where the sender allows one alone."""
    return bool(words.table("outcomes")[command.outcome_code or ""]["reroute"]) and (
        state.routing != "preferred-only"
    )
