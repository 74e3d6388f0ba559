"""What the pages of a sender show: the tracker list, one referral with its story, the cancel question.

Comes in: referrals as api.views gives them, counts, events, the routing decision. Goes out: template models. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from api.pages.about import about, hops
from api.pages.person import person
from api.pages.routing import routing
from api.pages.show import Model, Show, View
from api.pages.timeline import entries
from referrals.words import PRIORITIES, TERMINAL, ReferralStatus

S = ReferralStatus
BASE = "/clinic/referrals"
# tab -> the statuses under it; all of them without a name
TABS: dict[str, tuple[ReferralStatus, ...]] = {
    "all": (),
    "review": (S.NEEDS_REVIEW,),
    "waiting": (S.RECEIVED, S.REQUESTED),
    "helping": (S.ACCEPTED, S.IN_PROGRESS, S.ON_HOLD),
    "closed": tuple(sorted(TERMINAL)),
}


def tabs(show: Show, path: str, names: Iterable[str], counts: Mapping[str, int], current: str) -> list[Model]:
    """The tabs of a list with their counts; the first one is the path itself."""
    made = []
    for index, name in enumerate(names):
        href = f"{path}?{urlencode({'tab': name})}" if index else path
        count = counts.get(name)
        made.append(
            {"href": href, "label": show.text(f"tab.{name}"), "count": count, "current": name == current}
        )
    return made


def tracker(
    show: Show, referrals: Iterable[View], counts: Mapping[str, int], tab: str, query: str, cursors: Model
) -> Model:
    """The list of the sender's referrals; `cursors` = first_href and next_href."""
    found = list(referrals)
    return {
        "title": show.text("clinic.heading"),
        "live": True,
        "rows": [show.summary(r, BASE) for r in found],
        **show.beside(*found),
        "filters": tabs(show, "/clinic", TABS, counts, tab),
        "filtered": tab != "all",
        "query": query,
        **cursors,
    }


def detail(
    show: Show,
    referral: View,
    events: Iterable[View],
    decision: View | None,
    base: str = BASE,
    back: str = "/clinic",
) -> Model:
    """One referral as its sender (or the plan) sees it."""
    made = summary(show, referral, base)
    return {
        "title": f"{made['need']} {made['own_id']}",
        "live": True,
        "back": {"href": back, "label": show.text(BACKS[back])},
        "r": made,
        "entries": entries(show, events, referral.get("hops") or []),
        "about": about(show, referral),
        "hops": hops(show, referral),
        "person": person(show, referral, offered=False),
        "routing": routing(show, decision),
        "can_cancel": base == BASE and referral["status"] not in TERMINAL,
        "disclosures": "" if back == "/mco" else f"{base}/{referral['id']}/disclosures",
        **show.beside(referral),
    }


BACKS = {"/clinic": "clinic.heading", "/mco": "mco.heading", "/hub": "hub.heading"}


def summary(show: Show, referral: View, base: str = BASE) -> Model:
    """The summary with what happens next."""
    status = str(referral["status"])
    following = show.text(f"next.{status}") if show.text.knows("next", status) else ""
    following = show.text("next-plan") if show.waits_for_plan(referral) else following
    return show.summary(referral, base) | {"next": following}


def cancel(show: Show, referral: View, form: Mapping[str, Any]) -> Model:
    """The question before a referral is taken back."""
    return {
        "title": show.text("cancel.heading"),
        "r": show.summary(referral, BASE),
        "reasons": show.text.choices("cancel_reasons"),
        **show.beside(referral),
        "form": form,
    }


def new(
    show: Show, form: Mapping[str, Any], payers: list[dict[str, str]], organizations: list[dict[str, str]]
) -> Model:
    """The form of a referral sent by hand; payers and organizations as options."""
    text = show.text
    languages = [{"code": c, "label": text(f"language.{c}")} for c in LANGUAGES]
    domains = [d for d in text.choices("domains") if d["code"] != "sdoh-category-unspecified"]
    return {
        "title": text("clinic.new"),
        "form": form,
        "domains": sorted(domains, key=lambda d: d["label"]),
        "priorities": [{"code": p, "label": text(f"priority.{p}")} for p in PRIORITIES],
        "languages": sorted(languages, key=lambda o: o["label"]),
        "payers": payers,
        "organizations": organizations,
        "yes_no": [{"code": c, "label": text(f"form.{c}")} for c in ("yes", "no", "unsure")],
        "consents": [
            {"code": c, "label": text(k)}
            for c, k in (("active", "form.yes"), ("refused", "form.no"), ("absent", "consent.absent"))
        ],
    }


LANGUAGES = [
    "ar",
    "en",
    "es",
    "fa",
    "hi",
    "hy",
    "ja",
    "km",
    "ko",
    "lo",
    "pa",
    "ru",
    "th",
    "tl",
    "uk",
    "vi",
    "zh",
]
