"""A navigator's forms become acts of the hub: what each form must hold, and what is said with it.

Comes in: form fields, the hop that was telephoned about. Goes out: problems by field, or the action and its fields of
envelope.responded. Pure; what a hop's status allows is the transition table's word.
"""

from typing import Any

from api.pages.cbo_models import NEEDS, ending
from api.pages.show import Model, Show, View
from referrals import words
from referrals.transitions import allowed_actions
from referrals.words import ASSISTED, HopStatus

ACCEPT = "accept"
OPEN = ("requested", "accepted", "in-progress", "on-hold")
REJECT = "reject:"


def told_of(show: Show, referral: View) -> list[Model]:
    """The open hops of which a navigator may record what the organization said, each with the answers it allows."""
    hops = [h for h in referral.get("hops") or [] if h["status"] in OPEN]
    return [
        {
            "hop": str(h["hop"]),
            "organization": show.organization(h["organization"]),
            "asked": h["status"] == HopStatus.REQUESTED,
            "answers": answers(show, HopStatus(h["status"])),
        }
        for h in hops
    ]


def answers(show: Show, status: HopStatus) -> list[Model]:
    """Accept and every reason to decline while asked; every outcome once accepted."""
    if ACCEPT in allowed_actions(status):
        declined = show.text.choices("reject_reasons")
        yes = [{"code": ACCEPT, "label": show.text("action.accept")}]
        return yes + [
            {"code": REJECT + d["code"], "label": show.text("told.declined", reason=d["label"])}
            for d in declined
        ]
    return show.text.choices("outcomes")


def wrong(show: Show, given: dict[str, str], outcome: bool) -> dict[str, str]:
    """What is missing, by field; `outcome`: an outcome is chosen, so the need must be."""
    errors = {}
    if not given.get("answer"):
        errors["answer"] = show.text("problem.choose")
    if outcome and given.get("need") not in NEEDS:
        errors["need"] = show.text("problem.choose")
    if given.get("answer") in ("other", f"{REJECT}other") and not given.get("note"):
        errors["note"] = show.text("problem.note")
    return errors


def said(given: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The lifecycle action of a form that is in order, and its fields."""
    code, note = given["answer"], given.get("note") or None
    if code == ACCEPT:
        return ACCEPT, {"note": note}
    if code.startswith(REJECT):
        return "reject", {"reason": code.removeprefix(REJECT), "note": note}
    return ending(code, given["need"]), {
        "outcome_code": code,
        "outcome_need": given["need"],
        "note": note,
    }


def known(code: str) -> bool:
    """Whether an answer is one of the lists; nothing else is published."""
    if code.startswith(REJECT):
        return code.removeprefix(REJECT) in words.table("reject_reasons")
    return code == ACCEPT or code in words.table("outcomes")


def channel(given: dict[str, str]) -> str:
    """How it was told: telephone unless fax is said."""
    asked = given.get("channel", "")
    return asked if asked in ASSISTED else "phone"
