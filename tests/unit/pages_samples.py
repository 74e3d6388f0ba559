"""Sample view models of every page, made by the real model functions from made-up referrals.

Comes in: a language and what every text field says. Goes out: template -> model. Must never hold a real person.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from api.pages import cards, cbo_models, clinic_models, front_models, hub_models, plan_models, watch_models
from api.pages.forms import form
from api.pages.show import Show
from api.pages.text import Text
from referrals import measures
from referrals.measures import Row

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
ORGANIZATIONS = {
    "riverside-clinic": "Riverside Clinic",
    "harvest-food-bank": "Harvest Food Bank",
    "east-bay-pantry": "East Bay Pantry",
    "golden-health-plan": "Golden Health Plan",
    "county-hub": "County Hub",
}
SERVICES = {"s1": "Weekly groceries", "s2": "Food pantry"}


def ago(**span: float) -> datetime:
    """A time before the samples' now."""
    return NOW - timedelta(**span)


def hop(status: str = "requested", organization: str = "harvest-food-bank", **fields: Any) -> dict[str, Any]:
    """One recipient's turn."""
    made: dict[str, Any] = {
        "hop": "h1",
        "organization": organization,
        "service": "s1",
        "status": status,
        "reason": None,
    }
    made |= {"requested_at": ago(hours=20), "due_at": NOW + timedelta(hours=28), "answered_at": None}
    return made | {"waitlist": None} | fields


def person(says: str = "") -> dict[str, Any]:
    """A made-up person with wishes about contact."""
    return {
        "person_id": says or "MRN-5521",
        "given_name": says or "Rosa",
        "family_name": says or "Delgado",
        "birth_date": says or "1984-05-27",
        "phone": says or "510-555-0142",
        "email": says or "rosa@example.org",
        "address": {
            "line": says or "12 Elm St",
            "city": says or "Oakland",
            "state": "CA",
            "postal_code": "94607",
        },
        "spoken_language": says or "es",
        "interpreter_needed": True,
        "household": {"size": 4},
        "accessibility": [says or "Wheelchair"],
        "contact": {
            "prohibited": False,
            "best_times": says or "After 5 PM",
            "mail_ok": False,
            "alternate": {
                "name": says or "Luis Delgado",
                "relationship": says or "brother",
                "phone": "510-555-0199",
            },
            "phones": [
                {"number": says or "510-555-0142", "safe": True, "voicemail_ok": False, "text_ok": True},
                {"number": "510-555-0177", "safe": False},
            ],
        },
    }


def referral(status: str = "requested", says: str = "", **fields: Any) -> dict[str, Any]:
    """A referral as api.views gives it to its sender."""
    return {
        "id": str(uuid5(NAMESPACE_URL, status)),
        "sender": "riverside-clinic",
        "sender_referral_id": says or "RC-1042",
        "case_id": None,
        "status": status,
        "version": 4,
        "need": {
            "domain": "food-insecurity",
            "note": says or "Family of four, pantry is empty until Friday.",
        },
        "priority": "urgent",
        "sensitivity": [],
        "person": person(says),
        "coverage": {"payer": "golden-health-plan", "member_id": says or "GH-77"},
        "consent": {"status": "active"},
        "hops": [
            hop(status) if status in ("requested", "accepted", "in-progress", "on-hold") else hop("completed")
        ],
        "outcome": {"code": "service-provided", "need": "resolved", "reason": None, "note": says or None}
        if status == "completed"
        else None,
        "reason": {"needs-review": "no-candidate", "cancelled": "duplicate"}.get(status),
        "services_delivered": [],
        "flags": [],
        "created_at": ago(hours=20),
        "updated_at": ago(hours=2),
        **fields,
    }


def event(version: int, type: str, hours: float, actor_id: str, **data: Any) -> dict[str, Any]:
    """One event as api.facts gives it."""
    channel = "exchange" if actor_id == "exchange" else "web"
    actor = {"organization": actor_id, "user": None, "on_behalf_of": None, "channel": channel}
    return {
        "version": version,
        "type": type,
        "occurred_at": ago(hours=hours),
        "at": ago(hours=hours),
        "actor": actor,
        "data": data,
    }


def events(says: str = "") -> list[dict[str, Any]]:
    """A story with a decline, a re-route and an acceptance."""
    return [
        event(1, "referral-received", 20, "riverside-clinic", domain="food-insecurity"),
        event(2, "routing-decided", 20, "exchange", **decision(says)),
        event(
            3,
            "hop-requested",
            20,
            "exchange",
            hop="h0",
            organization="east-bay-pantry",
            due_at=NOW.isoformat(),
        ),
        event(4, "hop-rejected", 16, "east-bay-pantry", hop="h0", reason="no-capacity", note=says or "Full."),
        event(5, "hop-requested", 16, "exchange", hop="h1", organization="harvest-food-bank", due_at=NOW),
        event(6, "hop-accepted", 2, "harvest-food-bank", hop="h1"),
        event(7, "a-type-of-tomorrow", 1, "harvest-food-bank", note=says),
    ]


def decision(says: str = "") -> dict[str, Any]:
    """A routing decision with a choice, an alternative and two exclusions."""
    out = {"rule": "outside-area", "detail": "ZIP 94607 is outside its service area"}
    new = {"rule": "rule-of-tomorrow", "detail": says or "something new"}
    parts = {"distance": 0.8, "load": 0.7}
    return {
        "decided_at": ago(hours=20),
        "policy": "routing-2026-12",
        "chosen": "s1",
        "candidates": [
            {
                "service": "s1",
                "organization": "harvest-food-bank",
                "excluded_by": None,
                "score": 0.9,
                "parts": parts,
            },
            {
                "service": "s2",
                "organization": "east-bay-pantry",
                "excluded_by": None,
                "score": 0.5,
                "parts": {},
            },
            {"service": "s3", "organization": says or "north-county-meals", "excluded_by": out, "parts": {}},
            {"service": "s4", "organization": "late-kitchen", "excluded_by": new, "score": None},
        ],
        "others_excluded": {"language": 2, says or "closure": 1},
    }


def offered(status: str, says: str = "", **fields: Any) -> dict[str, Any]:
    """A referral as the organization asked sees it."""
    hidden = {"spoken_language": says or "es", "interpreter_needed": True}
    hidden |= {"address": {"postal_code": "94607", "county": "alameda"}}
    view = referral(status, says, hops=[hop(status)], sender_referral_id=None, consent=None)
    return view | ({"person": hidden} if status in ("requested", "rejected") else {}) | fields


def rows() -> list[Row]:
    """Facts of 30 referrals: 24 accepted, 12 closed."""
    ids = [uuid5(NAMESPACE_URL, str(n)) for n in range(30)]
    made = []
    for n, id in enumerate(ids):
        domain = "food-insecurity" if n % 3 else "homelessness"
        accepted = ago(hours=600 - n) if n < 24 else None
        made.append(Row(id, domain, ago(hours=620), accepted, ago(hours=300) if n < 12 else None))
    return made


def models(language: str = "en", says: str = "") -> dict[str, list[dict[str, Any]]]:
    """Every page template with the models it must draw; `says` stands in every text field."""
    names = {k: says or v for k, v in ORGANIZATIONS.items()}
    services = {k: says or v for k, v in SERVICES.items()}
    show = Show(Text(language), NOW, names, services)
    return (
        _front(show, says) | _clinic(show, says) | _cbo(show, says) | _plan(show, says) | _watch(show, says)
    )


def _front(show: Show, says: str) -> dict[str, list[dict[str, Any]]]:
    logins = [
        {"email": says or "ana@riverside.example", "password": says or "demo", "label": says or "Clinic"}
    ]
    return {
        "home.html": [
            front_models.home(show, True, ago(minutes=2), 14),
            front_models.home(show, False, None, 0),
        ],
        "login.html": [
            front_models.login(show, form({}), "/", []),
            front_models.login(show, form({"email": says}, {"email": "wrong"}, "general"), "/", logins),
        ],
        "message.html": [
            front_models.message(show.text, key) for key in ("404", "403", "csrf", "503", "999")
        ],
    }


def _clinic(show: Show, says: str) -> dict[str, list[dict[str, Any]]]:
    statuses = ("requested", "needs-review", "accepted", "in-progress", "completed", "cancelled", "failed")
    rows = [referral(s, says) for s in statuses]
    counts = {"all": 7, "review": 1, "waiting": 1, "helping": 2, "closed": 3}
    cursors = {"next_href": "/clinic?cursor=x", "first_href": ""}
    none = {"next_href": "", "first_href": ""}
    story, why = events(says), decision(says)
    errors = {"given_name": says or "Fill this in", "priority": "Choose one"}
    return {
        "clinic_list.html": [
            clinic_models.tracker(show, rows, counts, "all", "", cursors),
            clinic_models.tracker(show, [], {}, "all", says or "RC-9", none),
            clinic_models.tracker(show, [], {}, "closed", "", none),
            clinic_models.tracker(show, [], {}, "all", "", none),
        ],
        "clinic_referral.html": [
            clinic_models.detail(show, referral("accepted", says), story, why),
            clinic_models.detail(
                show, referral("needs-review", says, hops=[]), story[:2], why | {"chosen": None}
            ),
            clinic_models.detail(show, referral("received", says, hops=[], person=None), [], None),
        ],
        "clinic_cancel.html": [clinic_models.cancel(show, referral("requested", says), form({"note": says}))],
        "clinic_new.html": [
            clinic_models.new(
                show, form({"priority": "routine"}), [{"code": "p", "label": says or "Plan"}], []
            ),
            clinic_models.new(show, form({"note": says, "domain": "food-insecurity"}, errors), [], []),
        ],
    }


def _cbo(show: Show, says: str) -> dict[str, list[dict[str, Any]]]:
    none = {"next_href": "", "first_href": ""}
    late = offered("requested", says, id="late", priority="routine", hops=[hop(due_at=ago(hours=3))])
    prohibited = offered("accepted", says)
    prohibited["person"]["contact"]["prohibited"] = True
    counts = {"new": 2, "working": 3, "done": 1}
    story = [e for e in events(says) if e["type"].startswith("hop-")]
    working = [offered(s, says) for s in ("accepted", "in-progress", "on-hold")]
    return {
        "cbo_inbox.html": [
            cbo_models.inbox(show, [late, offered("requested", says)], counts, "new", none),
            cbo_models.inbox(show, working, counts, "working", none),
            cbo_models.inbox(
                show, [offered("completed", says), offered("rejected", says)], counts, "done", none
            ),
            *(cbo_models.inbox(show, [], {}, tab, none) for tab in cards.TABS),
        ],
        "cbo_referral.html": [
            cbo_models.one(show, offered("requested", says), story),
            cbo_models.one(show, offered("accepted", says), story),
            cbo_models.one(show, prohibited, story),
        ],
        "cbo_answer.html": [
            cbo_models.answer(
                show, offered("accepted", says), action, form({"note": says}, {"reason": "Choose"})
            )
            for action in ("reject", "hold", "close", "note")
        ],
        "conflict.html": [
            cbo_models.conflict(show, offered("requested", says), story),
            cbo_models.conflict(show, offered("cancelled", says), []),
        ],
    }


def _plan(show: Show, says: str) -> dict[str, list[dict[str, Any]]]:
    span = {"contract": "golden-health-plan-2026", "from": "2026-10-01", "to": "2026-11-30"}
    cursors = {"next_href": "", "first_href": "/mco"}
    contracts = [{"code": span["contract"], "label": says or "2026"}, {"code": "x", "label": "X"}]
    found = [referral(s, says) for s in ("requested", "completed", "needs-review")]
    facts, targets = rows(), {"accepted": 0.75, "closed": 0.7, "time-to-accept": 48}
    tiles = []
    for id, definition in measures.definitions().items():
        measured = measures.measure(id, facts, NOW, targets)
        tiles.append(plan_models.tile(show, measured, definition, span, f"/v1/{says}"))
    full = plan_models.plan(show, says or "Community supports 2026", span, facts)
    full |= {"measures": tiles, "rows": plan_models.members(show, found), "contracts": contracts, **cursors}
    full |= {"csv_href": "/v1/x.csv"}
    empty = plan_models.plan(show, "", span, []) | {"measures": [], "rows": [], "contracts": [], **cursors}
    empty |= {"csv_href": "/v1/x.csv"}
    counted = measures.counted(measures.definitions()["accepted"], facts, NOW)
    listed = plan_models.behind(show, tiles[1], span, counted, found, cursors)
    return {"mco_plan.html": [full, empty], "mco_list.html": [listed, listed | {"rows": []}]}


def _watch(show: Show, says: str) -> dict[str, list[dict[str, Any]]]:
    waiting = referral("needs-review", says, hops=[hop("rejected", "east-bay-pantry", reason="no-capacity")])
    found = [
        {"id": "s1", "organization": "harvest-food-bank", "name": says or "Groceries", "place": "94607"},
        {"id": "s2", "organization": "east-bay-pantry", "name": "Food pantry", "place": ""},
        {"id": "s3", "organization": "north-county-meals", "name": "Meals", "place": ""},
    ]
    chosen = form({"service": "s1"}, {"reason": says or "Fill this in"})
    none = {"next_href": "", "first_href": ""}
    county = {"alameda": 120, "marin": 4, says or "": 30}
    progress = [{"topic": "intake.api", "partition": 0, "next_offset": 12, "updated_at": ago(minutes=1)}]
    dead = [
        {"reason": says or "invalid", "topic": "intake.x", "partition": 1, "offset": 7, "at": ago(hours=1)}
    ]
    relay = {"recorded": 90, "published": 88}
    chooser = hub_models.chooser(show, waiting, events(says), decision(says), found, chosen)
    chooser |= {"domain": "food-insecurity", "query": says, "domains": show.text.choices("domains")}
    return {
        "hub_queue.html": [hub_models.queue(show, [waiting], none), hub_models.queue(show, [], none)],
        "hub_referral.html": [chooser, chooser | {"services": [], "routing": None}],
        "state.html": [
            watch_models.state(show, county, {"food-insecurity": 150, "homelessness": 4}, {"requested": 154}),
            watch_models.state(show, {}, {}, {}),
        ],
        "operator.html": [
            watch_models.operator(show, progress, relay, dead, 1, {"requested": 5}, 0),
            watch_models.operator(show, [], {"recorded": 0, "published": 0}, [], 0, {}, 2),
        ],
    }
