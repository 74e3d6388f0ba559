"""Labels travel: what comes out of any transform carries at least the labels that went in, and its channel says so."""

from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from api import fields, grants, views
from api import measures as doors
from api.pages import cbo_models, clinic_models, render
from api.pages.text import Text
from avro_schemas import codec, topics
from producers import csv_file, fhir, people_bundle
from producers.envelope import open_submission, seal
from producers.fhir import labels as fhir_labels
from referrals import check, labels, measures
from referrals import commands as c
from referrals.consent import cover, release
from referrals.labels import at_least, holding
from referrals.permitting import asked_of
from referrals.state import Referral
from referrals.submission import Consent
from referrals.words import SENSITIVITIES, HopStatus, table
from stream_processors.disclosing import About
from stream_processors.notify import message
from stream_processors.outbox import outputs
from tests.simulation.revoking import SECRET
from tests.support.referrals import NOW, applied, body, envelope, service, submit, world
from tests.unit.minimum_cases import plain
from tests.unit.test_api_views import CBO, PLAN, seen
from tests.unit.test_minimum_necessary import SHOW, history

NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
HOME = table("domains")
sets = st.lists(st.sampled_from(SENSITIVITIES), unique=True, max_size=4)
domains = st.sampled_from(sorted(HOME))


def labelled(given: list[str], domain: str) -> Referral:
    """A referral submitted with these labels, as it is recorded."""
    command = submit(sensitivity=given, need={"domain": domain}, consent=_consent())
    state, _ = applied(None, command, envelope("clinic"), _world(domain))
    return state


def _consent() -> dict[str, Any]:
    return {"status": "active", "recipients": [{"organization": "food-a"}, {"organization": "food-b"}]}


def _world(domain: str) -> Any:
    return world(*(service(name, domains=(domain,)) for name in ("food-a", "food-b")))


@settings(max_examples=1000, deadline=None)
@given(sets, sets, domains)
def test_no_label_is_lost_by_submitting_amending_or_passing_on(
    first: list[str], then: list[str], domain: str
) -> None:
    needed = (*first, *HOME[domain]["sensitivity"])
    state = labelled(first, domain)
    assert at_least(state.sensitivity, needed)
    amending = submit(
        sensitivity=then, need={"domain": "food-insecurity"}, consent=_consent(), priority="urgent"
    )
    state, _ = applied(state, amending, envelope("clinic", "again"), _world("food-insecurity"))
    assert at_least(state.sensitivity, (*needed, *then)), "an amendment only adds"
    if state.asked:
        hop = state.asked[0]
        accepted = c.Respond(action="accept", hop=hop.hop)
        state, _ = applied(state, accepted, envelope(hop.organization, "yes"), _world("food-insecurity"))
        passing = c.Respond(action="transfer", hop=hop.hop, reason="transferred")
        state, _ = applied(state, passing, envelope(hop.organization, "on"), _world("food-insecurity"))
    assert at_least(state.sensitivity, (*needed, *then)), "handing on keeps them"


@settings(max_examples=1000, deadline=None)
@given(sets, st.lists(domains, min_size=1, max_size=3))
def test_no_label_is_lost_by_any_format(given: list[str], wanted: list[str]) -> None:
    asked = body("R-1", sensitivity=given)
    several = {k: v for k, v in asked.items() if k != "need"} | {"needs": [{"domain": d} for d in wanted]}
    for one in check.submissions(several, NOW):
        assert at_least(one.sensitivity, given), "each need of several"
    bundle = people_bundle.as_fhir_bundle(asked)
    (read,) = fhir.submissions(bundle, NOW)
    assert at_least(read.submission.sensitivity, given), "FHIR, out and in again"
    columns = {**dict.fromkeys(csv_file.REQUIRED, "x"), "need_domain": wanted[0], "consent_status": "active"}
    columns |= {"birth_date": "1980-02-01", "sensitivity": ";".join(given)}
    lines = f"{','.join(columns)}\r\n{','.join(columns.values())}\r\n".encode()
    (row,) = csv_file.read([lines], NOW)
    assert row.submission is not None and at_least(row.submission.sensitivity, given), row.problems
    sealed = seal(msgspec.json.encode(read.submission))
    assert at_least(open_submission(sealed).sensitivity, given), "sealed and opened"


@settings(max_examples=1000, deadline=None)
@given(sets, domains)
def test_every_channel_carries_the_labels_and_the_notice(given: list[str], domain: str) -> None:
    needed = (*given, *HOME[domain]["sensitivity"])
    due = NOTICE if "part2" in needed else None
    told = channels(given, domain)
    for channel, (carried, notice) in told.items():
        assert at_least(carried, needed), channel
        assert notice == due, channel


def channels(given: list[str], domain: str) -> dict[str, tuple[Any, Any]]:
    """What each channel says of the labels, and its notice."""
    found = seen(HopStatus.ACCEPTED, sensitivity=tuple(given), domain=domain)
    view = views.referral(CBO.principal, found)
    assert view is not None
    stub = views.referral(CBO.principal, seen(HopStatus.REJECTED, sensitivity=tuple(given), domain=domain))
    plan = views.referral(PLAN.principal, found)
    assert stub is not None and plan is not None
    row = {"type": "hop-accepted", "at": NOW, "kind": "referral", "stream_id": UUID(int=7), "version": 3}
    row |= {"status": "accepted", "about": About(found.state), "id": UUID(int=9)}
    hook = msgspec.json.decode(message(row, SECRET, NOW)[0])
    task = fhir_labels.marked({"resourceType": "Task"}, view["sensitivity"])
    back = fhir_labels.sensitivity(_resource(task))
    told = [e["valueString"] for e in task.get("extension", ()) if e["url"] == fhir_labels.NOTICE_URL]
    fact = feedback(fields.labels_of(found.state))
    counted = measures.Counted(UUID(int=7), NOW, True, False, 1.0)
    cells = dict(
        zip(doors.COLUMNS, doors._columns(counted, {UUID(int=7): fields.labels_of(found.state)}), strict=True)
    )
    return {
        "api": (view["sensitivity"], view["notice"]),
        "stub": (stub["sensitivity"], stub["notice"]),
        "plan": (plan["sensitivity"], plan["notice"]),
        "webhook": (hook.get("sensitivity", ()), hook.get("notice")),
        "feedback": (fact.get("sensitivity", ()), fact.get("notice")),
        "fhir": (back, told[0] if told else None),
        "csv": (cells["sensitivity"].split(), cells["notice"]),
    }


def _resource(task: dict[str, Any]) -> Any:
    from producers.fhir.bundle import Resource
    from producers.fhir.reading import Issues

    return Resource(task, "Task", Issues())


def feedback(given: tuple[str, ...]) -> dict[str, Any]:
    """A fact's data as its sender reads it."""
    row = history(plain(HopStatus.ACCEPTED))[6] | {"kind": "referral", "stream_id": UUID(int=7), "lane": 1}
    row |= {"lane_seq": 7, "payer": None, "event_id": UUID(int=1), "sender": "clinic", "recipients": []}
    row |= {"status": "accepted", "tenant": "clinic"}
    out = outputs(row, frozenset({"clinic"}), None, given)
    (told,) = [o for o in out if o.topic == topics.feedback("clinic")]
    data: dict[str, Any] = msgspec.json.decode(codec.decode(told.value)[1]["data"])
    return data


def test_the_notice_is_the_regulations_own_short_form() -> None:
    assert labels.NOTICE == NOTICE
    assert all(notice == NOTICE for _, notice in channels(["part2"], "food-insecurity").values())
    assert all(notice is None for _, notice in channels(["violence"], "food-insecurity").values())


def test_pages_and_paper_carry_the_notice() -> None:
    for labels_, due in ((("part2",), True), ((), False)):
        view = views.referral(CBO.principal, seen(HopStatus.ACCEPTED, sensitivity=labels_))
        assert view is not None
        frame = render.frame(Text("en"), CBO.principal)
        listed = cbo_models.inbox(SHOW, [view], {}, "new", {"next_href": "", "first_href": ""}) | {
            "paused": []
        }
        models = {
            "cbo_referral.html": cbo_models.one(SHOW, view, []),
            "_cbo_referral.html": cbo_models.one(SHOW, view, []),
            "cbo_inbox.html": listed,
            "_cbo_inbox.html": listed,
            "clinic_referral.html": clinic_models.detail(SHOW, view, [], None),
            "cbo_answer.html": cbo_models.answer(
                SHOW, view, "note", {"fields": {}, "errors": {}, "problems": []}
            ),
        }
        for template, model in models.items():
            assert render.html(template, Text("en"), frame, model).count(NOTICE) == due, template


def test_a_page_about_violence_is_not_printed() -> None:
    frame = render.frame(Text("en"), CBO.principal)
    for labels_, blank in ((("violence",), True), (("part2",), False)):
        view = views.referral(CBO.principal, seen(HopStatus.ACCEPTED, sensitivity=labels_))
        assert view is not None
        drawn = render.html("cbo_referral.html", Text("en"), frame, cbo_models.one(SHOW, view, []))
        assert ('class="mid screen"' in drawn) is blank and ('class="paper"' in drawn) is blank


def test_what_nobody_knows_is_as_restricted_as_anything() -> None:
    assert holding(("of-next-year",), "food-insecurity") == SENSITIVITIES
    assert holding((), "a-need-of-next-year") == SENSITIVITIES
    state = msgspec.structs.replace(labelled([], "food-insecurity"), sensitivity=("of-next-year",))
    asked = asked_of(state, Consent(status="active"))
    assert not cover([Consent(status="active")], asked).allows("food-a"), "a recipient must be named"
    assert not release([Consent(status="active")], asked).outcome


def test_a_code_of_fhir_that_nobody_knows_is_as_restricted_as_anything() -> None:
    def read(*codings: dict[str, str]) -> list[str]:
        return fhir_labels.sensitivity(_resource({"meta": {"security": list(codings)}}))

    everything = sorted(SENSITIVITIES)
    assert read({"system": fhir_labels.ACT_CODE, "code": "HIV"}) == everything
    assert read({"system": fhir_labels.CONFIDENTIALITY, "code": "R"}) == everything, (
        "restricted, and no word why"
    )
    assert read({"code": "R"}, {"code": "ETH"}) == ["part2"]
    assert read({"system": fhir_labels.CONFIDENTIALITY, "code": "N"}) == []
    assert read({"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}) == []
    assert read({"system": fhir_labels.ACT_CODE, "code": "NORDSCLCD"}) == []


def test_whatever_says_what_was_needed_says_how_sensitive_it_is() -> None:
    assert {k for k, g in grants.GRANTS.items() if g.need and "sensitivity" not in g.fields} == set()
