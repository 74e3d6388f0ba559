"""What the hub shows: the review queue in plain words, and one referral with the services to choose from.

Comes in: referrals as api.views gives them, the last decision, services found. Goes out: template models. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from api.pages import cbo_models, hub_answers, likeness, when
from api.pages.clinic_models import detail, tabs
from api.pages.routing import advantages, rule
from api.pages.show import Model, Show, View
from referrals.transitions import MONTH, STEPS
from referrals.words import TERMINAL, ReferralStatus

BASE = "/hub/referrals"
PLACES = 30
S = ReferralStatus
# tab -> the statuses under it; the first is the queue itself
TABS: dict[str, tuple[ReferralStatus, ...]] = {
    "queue": (S.NEEDS_REVIEW,),
    "under-way": (S.RECEIVED, S.REQUESTED, S.ACCEPTED, S.IN_PROGRESS, S.ON_HOLD),
    "closed": tuple(sorted(TERMINAL)),
}


def queue(
    show: Show,
    referrals: Iterable[View],
    counts: Mapping[str, int],
    tab: str,
    cursors: Model,
    links: Iterable[View] = (),
) -> Model:
    """The referrals of one tab, and beside the queue the persons of two senders that look like one."""
    found = list(referrals)
    return {
        "title": show.text("hub.heading"),
        "live": True,
        "tab": tab,
        "tabs": tabs(show, "/hub", TABS, counts, tab),
        "rows": [row(show, r) for r in found],
        **show.beside(*found),
        "links": [link(show, found) for found in links],
        **cursors,
    }


def link(show: Show, found: View) -> Model:
    """One proposed link: whose persons, and which fields agree."""
    one, other = (show.organization(sender) for sender in found["senders"])
    who = show.text("hub.links-who", one=one, other=other)
    return {"href": f"/hub/links/{found['id']}", "who": who, "said": likeness.said(show, found)}


def row(show: Show, referral: View) -> Model:
    """One waiting referral: the reason in words, what to do next."""
    code = str(show.code(referral) or "")
    following = show.text(f"hub-next.{code}") if show.text.knows("hub-next", code) else ""
    waits = referral["status"] == "needs-review"
    summary = show.summary(referral, BASE)
    reason = show.text.label("review_reasons", code) if waits else ""
    return summary | {
        "reason": reason or show.text.of("status", str(referral["status"])),
        "next": following if waits else summary["sentence"],
        "detail": "",
        "open": waits,
        "may_reopen": referral["status"] in STEPS["reopen"].sources and changeable(show, referral),
    }


def changeable(show: Show, referral: View) -> bool:
    """Whether it closed lately enough to be taken up again."""
    changed = when.parsed(referral["updated_at"]) or show.now
    return referral.get("outcome") is not None and show.now - changed <= MONTH


def chooser(
    show: Show,
    referral: View,
    events: Iterable[View],
    decision: View | None,
    found: Iterable[View],
    form: Model,
) -> Model:
    """One referral with the services a navigator may choose: `found` = rows of id, organization, name."""
    base = detail(show, referral, events, decision, BASE, "/hub")
    made = row(show, referral)
    return base | {
        "title": base["r"]["need"],
        "live": False,
        "r": made if made["open"] else made | {"next": ""},
        "services": services(show, referral, decision, found),
        "groups": cbo_models.outcomes(show),
        "needs": show.text.choices("need_outcomes", list(cbo_models.NEEDS)),
        "told": hub_answers.told_of(show, referral),
        "channels": [{"code": c, "label": show.text(f"channel.{c}").capitalize()} for c in ("phone", "fax")],
        "form": form,
    }


def services(show: Show, referral: View, decision: View | None, found: Iterable[View]) -> list[Model]:
    """The services found, best of the last decision first, each with what speaks for or against it."""
    candidates = list((decision or {}).get("candidates") or [])
    known: Mapping[str, Any] = {str(c["service"]): c for c in candidates}
    order = {str(c["service"]): i for i, c in enumerate(candidates)}
    asked = {h["organization"] for h in referral.get("hops") or []}
    made = [_service(show, s, known.get(str(s["id"])), s["organization"] in asked) for s in found]
    return sorted(made, key=lambda s: (s["asked"], order.get(s["id"], len(order)), s["organization"]))[
        :PLACES
    ]


def _service(show: Show, service: View, candidate: View | None, asked: bool) -> Model:
    excluded = candidate.get("excluded_by") if candidate else None
    fits = candidate is not None and not excluded
    warning = show.text("hub.asked-before") if asked else rule(show, excluded) if excluded else ""
    return {
        "id": str(service["id"]),
        "organization": show.organization(service["organization"]),
        "name": str(service["name"]),
        "note": advantages(show, candidate) if fits and candidate else str(service.get("place") or ""),
        "warning": warning,
        "asked": asked,
    }
