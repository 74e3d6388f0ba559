"""The story of a referral: every event as who, what and when, in plain words, newest first.

Comes in: events as api.views gives them. Goes out: entries for the macro `timeline`. Pure; no codes reach a reader.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from api.pages import likeness, when
from api.pages.show import Model, Show, View
from referrals import words

# event type -> icon, and whether it is a step of the loop (drawn in the accent colour)
ICONS: dict[str, tuple[str, bool]] = {
    "referral-received": ("send", True),
    "referral-amended": ("note", False),
    "referral-refused": ("stop", True),
    "review-needed": ("people", True),
    "duplicate-suspected": ("people", False),
    "referral-cancelled": ("cross", True),
    "referral-entered-in-error": ("cross", True),
    "routing-decided": ("route", False),
    "service-assigned": ("route", True),
    "hop-requested": ("clock", True),
    "hop-accepted": ("check", True),
    "hop-rejected": ("cross", True),
    "hop-expired": ("alert", True),
    "hop-started": ("heart", True),
    "hop-held": ("pause", False),
    "hop-resumed": ("heart", False),
    "hop-completed": ("done", True),
    "hop-failed": ("stop", True),
    "hop-fell-through": ("route", True),
    "hop-unsuitable": ("alert", True),
    "referral-closed": ("done", True),
    "referral-reopened": ("heart", True),
    "service-voided": ("cross", False),
    "hop-cancelled": ("cross", False),
    "hop-withdrawn": ("cross", True),
    "hop-transferred": ("route", True),
    "hop-superseded": ("stop", False),
    "hop-reopened": ("heart", True),
    "outcome-corrected": ("note", True),
    "contact-made": ("phone", False),
    "service-delivered": ("heart", False),
    "note-added": ("note", False),
    "authorization-requested": ("note", True),
    "authorization-decided": ("note", True),
    "reminder-due": ("clock", False),
    "deadline-missed": ("alert", True),
    "deadline-escalated": ("alert", True),
}
# What the exchange itself finds, whoever's record it was that made it look.
OURS = frozenset({"routing-decided", "hop-requested", "duplicate-suspected"})
# event type -> field of its data, and the reviewed list that explains the code in it
CODES: dict[str, tuple[tuple[str, str], ...]] = {
    "referral-refused": (("reason", "refusal_reasons"),),
    "review-needed": (("reason", "review_reasons"),),
    "referral-cancelled": (("reason", "cancel_reasons"),),
    "referral-entered-in-error": (("reason", "cancel_reasons"),),
    "hop-rejected": (("reason", "reject_reasons"),),
    "hop-held": (("reason", "hold_reasons"),),
    "hop-cancelled": (("reason", "cancel_reasons"),),
    "hop-withdrawn": (("reason", "withdraw_reasons"),),
    "hop-transferred": (("reason", "withdraw_reasons"),),
    "outcome-corrected": (("outcome_before", "outcomes"), ("outcome", "outcomes"), ("need", "need_outcomes")),
    "hop-completed": (("outcome", "outcomes"), ("need", "need_outcomes")),
    "hop-failed": (("outcome", "outcomes"), ("need", "need_outcomes")),
    "hop-fell-through": (("outcome", "outcomes"),),
    "hop-superseded": (("reason", "told_reasons"),),
    "referral-closed": (("outcome", "outcomes"), ("need", "need_outcomes")),
}

CLOCKS = ("reminder-due", "deadline-missed", "deadline-escalated")


def entries(show: Show, events: Iterable[View], hops: Iterable[View] = ()) -> list[Model]:
    """The events as entries, newest first."""
    asked = {str(h.get("hop")): str(h.get("organization")) for h in hops}
    listed = sorted(events, key=lambda e: int(e["version"]), reverse=True)
    return [_entry(show, event, asked) for event in listed]


def who(show: Show, event: View) -> str:
    """Who did it: the organization, or the exchange itself for what a clock or a rule decided."""
    actor = event.get("actor") or {}
    if actor.get("channel") in ("timer", "exchange") or event["type"] in OURS:
        return show.text("exchange")
    name = show.organization(actor.get("organization"))
    if actor.get("on_behalf_of") and actor.get("channel") in words.ASSISTED:
        said, how = show.organization(actor["on_behalf_of"]), show.text(f"channel.{actor['channel']}")
        return show.text("event.told", who=name, organization=said, how=how)
    return f"{name} ({actor['user_name']})" if actor.get("user_name") else name


def _entry(show: Show, event: View, asked: Mapping[str, str]) -> Model:
    kind, data = str(event["type"]), dict(event.get("data") or {})
    icon, key = ICONS.get(kind, ("info", False))
    organization = show.organization(data.get("organization") or asked.get(str(data.get("hop"))))
    return {
        "icon": icon,
        "key": key,
        "who": who(show, event),
        "what": show.text.of("event", kind, organization=organization),
        "detail": _detail(show, kind, data),
        "when": when.moment(show.text, event.get("at") or event["occurred_at"], show.now),
    }


def _detail(show: Show, kind: str, data: dict[str, Any]) -> str:
    said = [show.text.label(table, str(data[f])) for f, table in CODES.get(kind, ()) if data.get(f)]
    if kind == "hop-requested":
        due = when.due(show.text, data.get("due_at"), show.now)
        said.append(show.text("event.reply-by", when=due["absolute"]) if due else "")
    if kind == "routing-decided":
        considered = len(data.get("candidates") or []) + sum((data.get("others_excluded") or {}).values())
        said.append(show.text.n("event.considered", considered) if considered else "")
    if kind == "hop-held" and data.get("review_date"):
        said.append(show.text("event.review-on", date=data["review_date"]))
    if kind == "contact-made" and data.get("reached") is not None:
        said.append(show.text("event.reached" if data["reached"] else "event.not-reached"))
    if kind in CLOCKS:
        said.append(show.text.of("clock", str(data.get("kind"))))
    if kind == "authorization-decided":
        said += approved(show, data)
    if kind == "duplicate-suspected":
        said += likeness.said(show, data)
    said.append(str(data.get("note") or ""))
    return ". ".join(s for s in said if s)


def approved(show: Show, data: View) -> list[str]:
    """How the plan decided, in words: the decision, units, dates."""
    days = (data.get("from"), data.get("to"))
    units = data.get("units")
    return [
        show.text.of("approval", str(data.get("status"))),
        show.text("approval-units", units=f"{units:g}") if units else "",
        show.text("approval-days", first=days[0] or "...", last=days[1] or "...") if any(days) else "",
    ]
