"""What the pages of a community organization show: inbox, one referral, the question behind a button, a conflict.

Comes in: referrals as api.views gives them to the organization asked. Goes out: template models. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from api.pages import cards
from api.pages.about import about
from api.pages.clinic_models import tabs
from api.pages.person import person
from api.pages.show import Model, Show, View
from api.pages.timeline import entries
from referrals import words
from referrals.transitions import allowed_actions
from referrals.words import HopStatus

# question -> the reviewed list its reason comes from; `close` has two lists, a note none
LISTS = {"reject": "reject_reasons", "hold": "hold_reasons", "cancel": "withdraw_reasons"}
# questions that end with an outcome and what became of the need
OUTCOMES = ("close", "correct")
QUESTIONS = (*LISTS, *OUTCOMES, "contact", "transfer", "note")
METHODS = ("phone", "text", "email", "visit", "mail")
# of the need, in the order of the buttons that close a referral
NEEDS = ("resolved", "partly", "unresolved", "unknown")


def inbox(
    show: Show, referrals: Iterable[View], counts: Mapping[str, int], tab: str, cursors: Model
) -> Model:
    """The cards of one tab."""
    found = list(referrals)
    return {
        "title": show.text("cbo.heading"),
        "live": True,
        "tab": tab,
        "tabs": tabs(show, "/cbo", cards.TABS, counts, tab),
        "cards": [cards.card(show, r) for r in found],
        **show.beside(*found),
        **cursors,
    }


def one(show: Show, referral: View, events: Iterable[View]) -> Model:
    """One referral with contact, buttons and story."""
    made = cards.card(show, referral)
    tab = cards.tab_of(referral)
    status = str(cards.own_hop(referral)["status"])
    can = (cards.changeable(show, referral), show.waits_for_plan(referral))
    return {
        "title": made["need"],
        "live": True,
        "c": made | {"actions": cards.buttons(show, made["href"], status, False, *can)},
        "back": {"href": "/cbo" if tab == "new" else f"/cbo?tab={tab}", "label": show.text(f"tab.{tab}")},
        "person": person(show, referral),
        "about": about(show, referral),
        "entries": entries(show, events, referral.get("hops") or []),
        **show.beside(referral),
    }


def answer(
    show: Show,
    referral: View,
    action: str,
    form: Mapping[str, Any],
    organizations: Sequence[Mapping[str, str]] = (),
) -> Model:
    """The one question behind a button; `organizations`: whom it may be handed on to, as options."""
    text = show.text
    made = cards.card(show, referral)
    groups = []
    if action in LISTS:
        codes = [code for code in words.table(LISTS[action]) if code != "transferred"]
        groups = [{"legend": text(f"answer-why.{action}"), "options": text.choices(LISTS[action], codes)}]
    elif action in OUTCOMES:
        groups = outcomes(show)
    return {
        "title": text(f"answer.{action}"),
        "lead": " · ".join(v for v in (made["need"], made["person"], made["place"]) if v),
        "action": action,
        "c": made,
        "groups": groups,
        "needs": text.choices("need_outcomes", list(NEEDS)) if action in OUTCOMES else [],
        "hint": text(f"{action}.need-hint") if action in OUTCOMES else "",
        "organizations": list(organizations),
        **show.beside(referral),
        "reached": [{"code": c, "label": text(f"contact.{c}")} for c in ("yes", "no")],
        "methods": [{"code": c, "label": text(f"method.{c}")} for c in METHODS],
        "form": form,
    }


def outcomes(show: Show) -> list[Model]:
    """The outcomes in two groups: help was given, or not."""
    rows = words.table("outcomes")
    helped = [c for c, row in rows.items() if "complete" in row["ends"]]
    not_helped = [c for c in rows if c not in helped]
    return [
        {"legend": show.text("close.helped"), "options": show.text.choices("outcomes", helped)},
        {"legend": show.text("close.not-helped"), "options": show.text.choices("outcomes", not_helped)},
    ]


def ending(outcome: str, need: str) -> str:
    """The lifecycle action that an outcome closes with; `other` follows what became of the need."""
    ends = words.table("outcomes")[outcome]["ends"]
    if len(ends) == 1:
        return str(ends[0])
    return "complete" if need in ("resolved", "partly") else "fail"


def conflict(show: Show, referral: View, events: Iterable[View]) -> Model:
    """Who changed it meanwhile, what it is now, what to do; for the organization asked."""
    turn = bool(set(allowed_actions(HopStatus(cards.own_hop(referral)["status"]))) - {"note"})
    return overtaken(show, referral, events, cards.card(show, referral), turn)


def overtaken(show: Show, referral: View, events: Iterable[View], made: Model, turn: bool) -> Model:
    """The same for anybody; `turn` = whether there is still something for them to decide."""
    story = entries(show, events, referral.get("hops") or [])
    last = story[0] if story else None
    said = show.text("conflict.unknown")
    if last:
        said = show.text("conflict.who", who=last["who"], what=last["what"], when=last["when"]["relative"])
    return {
        "title": show.text("conflict.title"),
        "who": said,
        "now_sentence": made["sentence"],
        "advice": show.text("conflict.stale" if turn else "conflict.gone"),
        "href": made["href"],
        "entries": story[:3],
        **show.beside(referral),
    }
