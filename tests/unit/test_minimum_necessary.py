"""Nothing outside the allow-list ever leaves: random referrals, every viewer and stage, every channel.

Every text of a made-up referral is a canary that names its own place; what may leave is the table ALLOWED below, made
from the requirement and not from the code. A canary found in any channel's bytes that the table does not name fails.
"""

import re
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from api import measures as doors
from api import reading, tables, views
from api.grants import GRANTS
from api.pages import cbo_models, clinic_models, plan_models, render
from api.pages.show import Show
from api.pages.text import Text
from api.principal import Principal
from avro_schemas import codec, topics
from referrals import measures
from referrals.words import HopStatus, ReferralStatus
from stream_processors.disclosing import About
from stream_processors.notify import message
from stream_processors.outbox import outputs
from tests.simulation.revoking import SECRET
from tests.unit.minimum_cases import CBO, CLINIC, NOW, OTHER, PLAN, Case, cases, plain

CANARY = re.compile(r"canary/[a-z0-9_./-]+[a-z0-9_]")


NAME = {"person.given_name", "person.family_name", "person.birth_date"}
REACH = {
    *("person.phone", "person.email", "person.address.line", "person.address.city", "person.address.state"),
    *("person.contact.phones.number", "person.contact.best_times"),
}
ALTERNATE = {f"person.contact.alternate.{k}" for k in ("name", "relationship", "phone")}
CARE = {
    "person.gender",
    "person.written_language",
    "person.accessibility",
    "zip-plus-4",
    "area-plus-4",
    "service_area.county",
}
AROUND = {
    *(f"related_person.{k}" for k in ("relationship", "name", "phone")),
    *(f"referrer.{k}" for k in ("name", "role", "phone", "email", "npi", "site")),
    *("sender_referral_id", "case_id", "based_on_referral"),
}
CODED = {f"need.{part}.{k}" for part in ("service", "code") for k in ("system", "code", "display")}
# stage -> what may leave; of a labelled need less, of a masked one nothing of organization and need.
ALLOWED: dict[str, set[str]] = {
    "offered": CODED,
    "holder": NAME | REACH | ALTERNATE | CARE | AROUND | CODED | {"need.note", "own-note", "outcome-note"},
    "stub": set(),
    "plan": NAME | CODED | {"coverage.member_id", "sender_referral_id", "case_id", "other-cbo"},
    "plan-stub": {"other-cbo"},
    "plan-before": set(),
    "operator": {"other-cbo", "own-user", "other-user"},
    "nobody": set(),
}
KEPT_FROM_PROHIBITED = REACH | {"zip-plus-4"}
ENDED = {HopStatus.REJECTED, HopStatus.EXPIRED, HopStatus.CANCELLED}


def principal(organization: str, type: str) -> Principal:
    return Principal(
        organization=organization,
        type=type,
        name="",
        user="u",
        scopes=frozenset(),
        expires_at=NOW,
        credential=b"",
    )


VIEWERS = {CBO: "cbo", PLAN: "mco", "operator": "operator", "state": "state", "clinic-b": "clinic"}


def stage(case: Case, organization: str) -> str:
    """Which row of ALLOWED holds, from the words of the requirement."""
    state = case.seen.state
    undone = state.status is ReferralStatus.ENTERED_IN_ERROR
    if organization == CBO:
        if not case.allowed or undone:
            return "stub"
        return "stub" if case.own in ENDED else "offered" if case.own is HopStatus.REQUESTED else "holder"
    if organization == PLAN:
        stub = undone or (not case.allowed and case.pays == "now")
        return {"now": "plan-stub" if stub else "plan", "before": "plan-before", "never": "nobody"}[case.pays]
    return "operator" if organization == "operator" else "nobody"


def allowed(case: Case, organization: str) -> set[str]:
    name = stage(case, organization)
    may = ALLOWED[name] | ({"own-user"} if organization == CBO else set())
    if case.labelled and name in ("offered", "plan"):
        may -= CODED
    if case.masked and name.startswith("plan"):
        may -= CODED | {"other-cbo"}
    if name == "holder":
        may |= {"delivered"}
        may -= KEPT_FROM_PROHIBITED if case.prohibited else set()
    if name in ("plan", "plan-before") and not case.masked and case.told:
        may |= {"delivered"}
    return may


def history(case: Case) -> list[dict[str, Any]]:
    """Facts of every kind that holds a text of the referral, as rows of history."""
    state = case.seen.state
    content = {f: getattr(state, f) for f in ("sender_referral_id", "domain", "programme", "code", "case_id")}
    content |= {
        "person_key": state.person_key,
        "excluded": ["canary/excluded_organizations"],
        "postal_code": "94607",
    }
    data = [
        ("referral-received", content, CLINIC, "canary/the-submission"),
        (
            "routing-decided",
            {"candidates": [{"organization": OTHER}], "chosen": f"service-of-{OTHER}"},
            "exchange",
            "",
        ),
        ("service-assigned", {"service": "s", "organization": CBO, "reason": "canary/hub-reason"}, "hub", ""),
        ("hop-requested", {"hop": "hop-1", "organization": OTHER, "service": "s"}, "exchange", ""),
        ("hop-rejected", {"hop": "hop-1", "reason": "other"}, OTHER, "canary/other-note"),
        (
            "hop-requested",
            {"hop": "hop-2", "organization": CBO, "service": "s"},
            "exchange",
            "canary/own-note",
        ),
        ("note-added", {"hop": "hop-2"}, CBO, "canary/own-note"),
        ("service-delivered", {"hop": "hop-2", "code": "canary/delivered", "service_event_id": "e"}, CBO, ""),
    ]
    return [
        {
            "version": number,
            "type": type,
            "occurred_at": NOW,
            "at": NOW,
            "actor_organization": actor,
            "actor_user": "canary/own-user" if actor == CBO else "canary/other-user",
            "on_behalf_of": None,
            "channel": "api",
            "data": msgspec.json.encode(body | {"type": type}),
            "sealed": note.encode(),
            "note": partial(str, note),
        }
        for number, (type, body, actor, note) in enumerate(data, 1)
    ]


def facts_of(case: Case, organization: str, kind: str) -> list[dict[str, Any]]:
    rows = history(case)
    if kind in views.RECEIVERS:  # what the query of a CBO's events does
        rows = [r for r in rows if msgspec.json.decode(r["data"]).get("hop") == "hop-2"]
    return [reading.shown(organization, case.seen, kind, row) for row in rows]


SHOW = Show(Text("en"), NOW, {}, {})


def drawn(case: Case, who: Principal, view: dict[str, Any], events: list[dict[str, Any]]) -> str:
    """The pages of that viewer, as HTML."""
    frame = render.frame(Text("en"), who)
    if who.type == "cbo":
        one = render.html("cbo_referral.html", Text("en"), frame, cbo_models.one(SHOW, view, events))
        listed = cbo_models.inbox(SHOW, [view], {}, "new", {"next_href": "", "first_href": ""})
        return one + render.html("cbo_inbox.html", Text("en"), frame, listed | {"paused": []})
    if who.type == "mco":
        model = clinic_models.detail(SHOW, view, events, None, plan_models.BASE, "/mco")
        rows = msgspec.json.encode(plan_models.members(SHOW, [view])).decode()
        return render.html("clinic_referral.html", Text("en"), frame, model) + rows
    return ""


def channels(case: Case, organization: str) -> dict[str, str]:
    """What each channel would send that viewer."""
    who = principal(organization, VIEWERS[organization])
    view, kind = views.referral(who, case.seen), views.kind_of(who, case.seen)
    notice = {
        "type": "hop-accepted",
        "at": NOW,
        "kind": "referral",
        "stream_id": case.seen.state.id,
        "version": 3,
    }
    notice |= {"status": str(case.seen.state.status), "about": About(case.seen.state), "id": UUID(int=9)}
    found = {"webhook": message(notice, SECRET, NOW)[0].decode()}
    counted = measures.Counted(case.seen.state.id, NOW, True, False, 1.0)
    found["csv"] = tables.written(doors.COLUMNS, [doors._columns(counted, {})])
    if view is None or kind is None:
        return found
    events = facts_of(case, organization, kind)
    found["api"] = msgspec.json.encode(view).decode()
    found["events"] = msgspec.json.encode(events).decode()
    found["page"] = drawn(case, who, view, events)
    return found


def canaries(text: str) -> set[str]:
    found = {c.removeprefix("canary/") for c in CANARY.findall(text)}
    plus_4 = {"94607-1234": "zip-plus-4", "94607-4321": "area-plus-4"}
    return found | {name for code, name in plus_4.items() if code in text}


@settings(max_examples=400, deadline=None)
@given(cases(), st.sampled_from(sorted(VIEWERS)))
def test_nothing_outside_the_allow_list_leaves_by_any_channel(case: Case, organization: str) -> None:
    may = allowed(case, organization)
    for channel, text in channels(case, organization).items():
        found = canaries(text)
        assert found <= may, (channel, stage(case, organization), sorted(found - may))


def test_every_stage_is_reached_and_shows_what_it_may() -> None:
    """The oracle above is no empty promise: a holder does see whom to call."""
    case = plain(HopStatus.ACCEPTED)
    found = canaries(channels(case, CBO)["api"])
    assert found >= NAME | REACH | ALTERNATE | {"need.note", "outcome-note"} - {"outcome-note"}
    assert canaries(channels(plain(HopStatus.REQUESTED), CBO)["api"]) == CODED
    assert canaries(channels(plain(HopStatus.REQUESTED), PLAN)["api"]) >= NAME | {"other-cbo"}


@settings(max_examples=200, deadline=None)
@given(cases())
def test_a_sender_is_told_nothing_sealed_on_its_topic(case: Case) -> None:
    state = case.seen.state
    for row in history(case):
        fact = row | {
            "kind": "referral",
            "stream_id": state.id,
            "lane": 1,
            "lane_seq": row["version"],
            "payer": None,
        }
        fact |= {
            "event_id": UUID(int=1),
            "sender": CLINIC,
            "recipients": [],
            "status": "requested",
            "tenant": CLINIC,
        }
        told = [o for o in outputs(fact, frozenset({CLINIC}), None) if o.topic == topics.feedback(CLINIC)]
        text = str(codec.decode(told[0].value)[1]["data"])
        assert not canaries(text) & {"own-note", "other-note", "the-submission", "outcome-note"}


NOTES = {"need.note", "own-note", "other-note", "outcome-note", "detail"}


@settings(max_examples=300, deadline=None)
@given(cases(), st.sampled_from([CBO, PLAN, CLINIC, "hub"]))
def test_what_an_operator_opens_is_no_more_than_the_organization_sees_and_no_note(
    case: Case, organization: str
) -> None:
    view = views.opened(principal("operator", "operator"), organization, case.seen, UUID(int=9))
    own = views.referral(principal(organization, VIEWERS.get(organization, "clinic")), case.seen)
    assert (view is None) == (own is None)
    theirs = canaries(msgspec.json.encode(own).decode())
    assert canaries(msgspec.json.encode(view).decode()) <= theirs - NOTES


def test_every_row_of_the_table_is_a_row_of_the_requirement() -> None:
    assert set(GRANTS) == {
        *("sender", "hub", "holder", "offered", "past", "withheld", "operator"),
        *("payer", "payer-without-consent", "payer-before"),
    }
