"""Sample models of every page, in plain and in hostile words; made by the pages' own functions from the samples."""

from typing import Any

from api.pages import (
    cards,
    cbo_models,
    clinic_models,
    disclosed,
    entry_models,
    front_models,
    hub_models,
    opened_models,
    plan_models,
    room_models,
    watch_models,
)
from api.pages.forms import form
from api.pages.show import Show
from api.pages.text import Text
from api.principal import Principal
from referrals import measures
from tests.unit import pages_people
from tests.unit.pages_samples import (
    NOW,
    ORGANIZATIONS,
    SERVICES,
    ago,
    decision,
    events,
    hop,
    offered,
    referral,
    rows,
)

LINK = {
    "id": "6f1f0f5e-2f1c-5a9e-8a55-0c1d2e3f4a5b",
    "senders": ["riverside-clinic", "lakeview-health"],
    "score": 93,
    "same": ["birth_date", "phone"],
    "alike": ["family_name"],
    "differing": [],
}


LINKS = {"next_href": "", "first_href": ""}


def _disclosure(says: str) -> dict[str, Any]:
    """One entry of the accounting."""
    return {
        "at": ago(hours=3),
        "recipient": "harvest-food-bank",
        "what": says or "holder",
        "why": says or "giving the help that was asked for",
        "under": says or "consent said with it",
        "rule": "default@sharing-2026-11",
    }


def models(language: str = "en", says: str = "") -> dict[str, list[dict[str, Any]]]:
    """Every page template with the models it must draw; `says` stands in every text field."""
    names = {k: says or v for k, v in ORGANIZATIONS.items()}
    services = {k: says or v for k, v in SERVICES.items()}
    show = Show(Text(language), NOW, names, services)
    return (
        _front(show, says)
        | pages_people.models(show, says)
        | _clinic(show, says)
        | _cbo(show, says)
        | _plan(show, says)
        | _watch(show, says)
        | _opened(show, says)
    )


def _opened(show: Show, says: str) -> dict[str, list[dict[str, Any]]]:
    """Break-glass: of who opens, of who is told, and one that is open."""
    opening = {
        "id": "0b7c1e9a-5f0e-4c39-9b0e-1f2d3c4b5a69",
        "organization": "harvest-food-bank",
        "referral": "6f1f0f5e-2f1c-5a9e-8a55-0c1d2e3f4a5b",
        "reason": says or "A complaint about a call that never came",
        "by": {"organization": says or "exchange-operator", "user": "u"},
        "opened_at": ago(minutes=20),
        "ends_at": ago(minutes=-40),
        "ended_at": None,
        "open": True,
    }
    over = opening | {"ended_at": ago(minutes=5), "open": False}
    wrong = form({"reason": says, "minutes": "61"}, {"reason": says or "Say why"})
    return {
        "break_glass.html": [
            opened_models.listed(show, [opening, over], "open", wrong, LINKS),
            opened_models.listed(show, [over], "", form({}), LINKS),
            opened_models.listed(show, [], "step", form({}), LINKS),
        ],
        "break_glass_one.html": [opened_models.one(show, opening, referral("accepted", says))],
    }


def somebody(says: str) -> Principal:
    """Who looks at their own account."""
    return Principal(
        organization="x",
        type="operator",
        name=says or "Org",
        user="u",
        scopes=frozenset(),
        expires_at=NOW,
        credential=b"",
        role=says or "operator",
        email=says or "a@x.example.org",
        user_name=says or "Ana",
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
            entry_models.login(show, form({}), "/", [], links=True),
            entry_models.login(show, form({"email": says}, {"email": "wrong"}, "general"), "/", logins),
        ],
        "link.html": [entry_models.link(show, form({"email": says}, {"email": "wrong"}))],
        "link_open.html": [entry_models.link_opened(show)],
        "code.html": [entry_models.code(show, form({}, {"code": "wrong"}), "/", says)],
        "account.html": [entry_models.account(show, somebody(says), on) for on in (None, False, True)],
        "account_code.html": [
            entry_models.enrolment(show, form({}), says or "ABCD EFGH", says or "otpauth://totp/x"),
            entry_models.enrolment(show, form({}, {"code": "wrong"}), "", ""),
        ],
        "login_organization.html": [
            entry_models.organization(show, form({"email": says}, {"email": "wrong"}), None),
            entry_models.organization(show, form({}), [{"tenant": "x", "name": says or "Org"}]),
        ],
        "message.html": [
            entry_models.not_vouched(show),
            entry_models.link_asked(show),
            entry_models.link_gone(show),
            *(front_models.message(show.text, key) for key in ("404", "403", "csrf", "503", "999")),
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
        "disclosures.html": [
            disclosed.model(
                show, referral("accepted", says), [_disclosure(says)], "/clinic/referrals", "/x.csv"
            )
            | LINKS,
            disclosed.model(show, referral("accepted", says), [], "/hub/referrals", "/x.csv") | LINKS,
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
    closed = [{"from": "2026-11-20", "to": "2026-12-02", "reason": says}, {"from": "2027-01-01"}]
    room = {"status": "capacity", "available": 3, "until": "2026-12-24", "note": says, "updated": ago(days=2)}
    listed = {"id": "s1", "name": says or "Groceries", "capacity": room | {"closures": closed}}
    silent = {"id": "s2", "name": says or "Meals"}
    wrong = form({"available": says or "many"}, {"available": "Enter a number", "closed_to": "Enter a day"})
    return {
        "cbo_services.html": [
            room_models.services(show, [listed, silent], none | {"next_href": "/cbo/services?cursor=x"}),
            room_models.services(show, [], none),
        ],
        "cbo_service.html": [room_models.one(show, listed, wrong), room_models.one(show, silent, form({}))],
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
            for action in cbo_models.QUESTIONS
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
        "hub_queue.html": [
            hub_models.queue(
                show, [waiting, referral("accepted", says)], {"queue": 1}, "queue", none, [LINK]
            ),
            *(hub_models.queue(show, [], {}, tab, none) for tab in hub_models.TABS),
        ],
        "hub_referral.html": [
            chooser,
            chooser | {"services": [], "routing": None},
            *(
                chooser | hub_models.chooser(show, referral(s, says), events(says), None, [], form({}))
                for s in ("requested", "accepted", "completed")
            ),
        ],
        "state.html": [
            watch_models.state(show, county, {"food-insecurity": 150, "homelessness": 4}, {"requested": 154}),
            watch_models.state(show, {}, {}, {}),
        ],
        "operator.html": [
            watch_models.operator(show, progress, relay, dead, (1, 3), {"requested": 5}, 0),
            watch_models.operator(show, [], {"recorded": 0, "published": 0}, [], (0, 0), {}, 2),
        ],
    }
