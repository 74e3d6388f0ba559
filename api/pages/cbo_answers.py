"""A CBO's form becomes an answer of the lifecycle: what each form must hold, and what is said with it.

Comes in: form fields. Goes out: problems by field, or the action and its fields. Pure.
"""

from typing import Any

from api.pages import when
from api.pages.cbo_models import METHODS, NEEDS, OUTCOMES, ending
from api.pages.show import Show
from referrals import check, words

# form -> the list its reason is from (None = no reason), where to go afterwards ("" = the referral itself)
FORMS: dict[str, tuple[str | None, str]] = {
    "accept": (None, ""),
    "start": (None, ""),
    "resume": (None, ""),
    "reject": ("reject_reasons", "/cbo"),
    "hold": ("hold_reasons", ""),
    "close": ("outcomes", "/cbo?tab=working"),
    "cancel": ("withdraw_reasons", "/cbo?tab=working"),
    "transfer": (None, "/cbo"),
    "correct": ("outcomes", ""),
    "reopen": (None, ""),
    "contact": (None, ""),
    "note": (None, ""),
}


def wrong(show: Show, name: str, given: dict[str, str]) -> dict[str, str]:
    """What is missing, by field."""
    table, _ = FORMS[name]
    reason, note = given.get("reason", ""), given.get("note", "")
    errors = {}
    if table and reason not in words.table(table):
        errors["reason"] = show.text("problem.choose")
    if given.get("close_service") and not words.table("reject_reasons").get(reason, {}).get("closes"):
        errors["close_service"] = show.text("problem.close-service")
    if name == "contact" and given.get("reached") not in ("yes", "no"):
        errors["reached"] = show.text("problem.choose")
    if name in OUTCOMES and given.get("need") not in NEEDS:
        errors["need"] = show.text("problem.choose")
    if name == "hold":
        day = check.parse_date(given.get("review_date", ""))
        if day is None or day < when.local_day(show.now):
            errors["review_date"] = show.text("problem.future")
    if not note and (name == "note" or (table and reason == "other")):
        errors["note"] = show.text("problem.required" if name == "note" else "problem.note")
    return errors


def said(name: str, given: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The lifecycle action of a form that is in order, and the fields of envelope.responded."""
    note, reason = given.get("note") or None, given.get("reason")
    if name in OUTCOMES and reason:
        need = given["need"]
        action = ending(reason, need) if name == "close" else name
        return action, {"outcome_code": reason, "outcome_need": need, "note": note}
    fields: dict[str, Any] = {"note": note}
    if FORMS[name][0]:
        fields["reason"] = reason
    if name == "hold":
        fields["details"] = {"review_date": given["review_date"]}
    if name == "transfer" and given.get("organization"):
        fields["details"] = {"organization": given["organization"]}
    if name == "reject" and given.get("close_service"):
        fields["details"] = {"close_service": True}
    if name == "contact":
        method = given.get("method") if given.get("method") in METHODS else METHODS[0]
        fields["details"] = {"method": method, "reached": given["reached"] == "yes"}
    return name, fields


def done(action: str, said: dict[str, Any]) -> str:
    """What the page says afterwards: a failure that another organization may not have is no end."""
    row = words.table("outcomes").get(str(said.get("outcome_code")), {})
    return "passed-on" if action == "fail" and row.get("reroute") else action


def after(name: str, referral: str) -> str:
    """Where a person goes after the answer."""
    return FORMS[name][1] or referral
