"""A referral as its community organization reads it: cards of the inbox, buttons, the sentence of its own turn.

Comes in: the referral as api.views gives it to the organization asked. Goes out: dicts for the /cbo templates.
Buttons follow lifecycle.TRANSITIONS. Pure.
"""

from typing import Any, NamedTuple

from api.pages import marks, when
from api.pages.show import Model, Show, View
from referrals.approval import HELPING
from referrals.transitions import MONTH, TRANSITIONS, allowed_actions
from referrals.words import HopStatus


class Button(NamedTuple):
    """What a button asks for; `needs` = the lifecycle actions of which one must be allowed."""

    name: str
    needs: tuple[str, ...]
    post: bool = False
    on_card: bool = True


# In the order they are shown; the first that is allowed is the main one.
BUTTONS = (
    Button("accept", ("accept",), post=True),
    Button("resume", ("resume",), post=True),
    Button("start", ("start",), post=True),
    Button("close", ("complete", "fail")),
    Button("reject", ("reject",)),
    Button("hold", ("hold",)),
    Button("contact", ("contact",), on_card=False),
    Button("cancel", ("cancel",), on_card=False),
    Button("transfer", ("transfer",), on_card=False),
    Button("correct", ("correct",), on_card=False),
    Button("reopen", ("reopen",), post=True, on_card=False),
    Button("note", ("note",), on_card=False),
)
TABS = {
    "new": (HopStatus.REQUESTED,),
    "working": (HopStatus.ACCEPTED, HopStatus.IN_PROGRESS, HopStatus.ON_HOLD),
    "done": (
        HopStatus.COMPLETED,
        HopStatus.FAILED,
        HopStatus.REJECTED,
        HopStatus.EXPIRED,
        HopStatus.CANCELLED,
    ),
}
BASE = "/cbo/referrals"


def card(show: Show, referral: View) -> Model:
    """One card of the inbox, with its buttons."""
    hop = own_hop(referral)
    status = str(hop["status"])
    own = (referral.get("next_action") or {}).get("who") == hop["organization"]
    made = show.summary(referral, BASE) | {
        "hop": str(hop["hop"]),
        "status": marks.status(show.text, status),
        "sentence": sentence(show, referral),
        "due": show.due(referral) if own or status == HopStatus.REQUESTED else None,
    }
    return made | {
        "facts": facts(show, referral, made),
        "actions": buttons(show, made["href"], status, True, waits=show.waits_for_plan(referral)),
    }


def own_hop(referral: View) -> View:
    """The organization's own turn; a CBO sees no other."""
    hop: View = referral["hops"][-1]
    return hop


def tab_of(referral: View) -> str:
    """Under which tab a referral is found."""
    status = own_hop(referral)["status"]
    return next(name for name, statuses in TABS.items() if status in statuses)


def changeable(show: Show, referral: View) -> bool:
    """Whether the outcome is this organization's own and young enough to be corrected or reopened."""
    ended = when.parsed(own_hop(referral)["answered_at"]) or show.now
    return referral.get("outcome") is not None and show.now - ended <= MONTH


def buttons(
    show: Show, href: str, status: str, on_card: bool, changeable: bool = True, waits: bool = False
) -> list[Model]:
    """The buttons that a hop's status allows, the main one first.

    `changeable`: its outcome may be changed still. `waits`: the plan must approve before help starts.
    """
    allowed = set(allowed_actions(HopStatus(status)))
    if not changeable:
        allowed -= {action for action, row in TRANSITIONS.items() if row.window}
    if waits:
        allowed -= HELPING
    if "resume" in allowed:
        allowed -= {"start"}
    fit = [b for b in BUTTONS if allowed & set(b.needs) and (b.on_card or not on_card)]
    closed = status in TABS["done"]
    return [
        {
            "name": b.name,
            "label": show.text(f"action.{b.name}"),
            "href": f"{href}/{b.name}",
            "post": b.post,
            "main": index == 0 and not closed,
        }
        for index, b in enumerate(fit)
    ]


def sentence(show: Show, referral: View) -> str:
    """The organization's own turn in one sentence."""
    hop = own_hop(referral)
    status = str(hop["status"])
    said = show.text.of("cbo-sentence", status, sender=show.organization(referral.get("sender")))
    if show.waits_for_plan(referral):
        said = show.text("cbo-sentence-plan")
    reason = show.reason(status, ending(referral))
    return f"{said}: {reason}" if reason else said


def ending(referral: View) -> Any:
    """The code behind the hop's status: its reason, else the outcome of the referral."""
    return own_hop(referral).get("reason") or (referral.get("outcome") or {}).get("code")


def facts(show: Show, referral: View, made: Model) -> list[Model]:
    """The few lines of a card: enough to decide, no identity before acceptance."""
    status = str(own_hop(referral)["status"])
    reason = show.reason(status, ending(referral))
    rows = {
        "about.place": made["place"],
        "about.language": show.language(referral),
        "about.sender": made["sender"],
        "about.sent": made["age"]["relative"] if status == HopStatus.REQUESTED else "",
        "about.outcome": reason if status in TABS["done"] or status == HopStatus.ON_HOLD else "",
        "about.changed": made["changed"]["relative"] if status != HopStatus.REQUESTED else "",
    }
    return [{"label": show.text(key), "value": value} for key, value in rows.items() if value]
