"""Referrals over HTTP on a real Postgres with the real exchange batch: submit, read, answer, amend, cancel."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from referrals import ids
from tests.support.api import Api, answer, new


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("api")) as running:
        yield running


async def test_a_submission_is_202_with_location_then_readable(api: Api) -> None:
    sent = new()
    async with api.http("clinic-a") as http:
        first = await http.post("/v1/referrals", json=sent)
        id = str(ids.referral_id("clinic-a", sent["sender_referral_id"]))
        assert first.status_code == 202
        assert first.json() == {"id": id, "status": "received"}
        assert first.headers["location"] == f"/v1/referrals/{id}"
        found = (await http.get(first.headers["location"])).json()
        assert found["status"] == "requested"
        for name, value in sent.items():
            assert found[name] == value
        again = await http.post("/v1/referrals", json=sent)
        assert again.status_code == 200
        assert again.json()["version"] == found["version"]


async def test_what_the_broker_has_and_nobody_recorded_yet_is_received(api: Api) -> None:
    api.broker.holding = True
    try:
        async with api.http("clinic-a") as http:
            first = await http.post("/v1/referrals", json=new())
            shown = await http.get(first.headers["location"])
            assert (shown.status_code, shown.json()["status"]) == (200, "received")
        async with api.http("clinic-b") as http:
            assert (await http.get(first.headers["location"])).status_code == 404
    finally:
        api.broker.holding = False
        await api.broker.release()


async def test_needs_become_one_referral_each(api: Api) -> None:
    sent = new(needs=[{"domain": "food-insecurity"}, {"domain": "food-insecurity"}])
    del sent["need"]
    async with api.http("clinic-a") as http:
        got = await http.post("/v1/referrals", json=sent)
        assert got.status_code == 202
        base = sent["sender_referral_id"]
        assert got.json()["case_id"] == base
        wanted = [ids.referral_id("clinic-a", f"{base}#food-insecurity{n}") for n in ("", ".2")]
        assert [item["id"] for item in got.json()["items"]] == [str(id) for id in wanted]
        for item in got.json()["items"]:
            assert (await http.get(f"/v1/referrals/{item['id']}")).json()["case_id"] == base


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"need": {"domain": "boredom"}}, "/need/domain"),
        ({"priority": "whenever"}, "/priority"),
        ({"requested_at": "2999-01-01T00:00:00Z"}, "/requested_at"),
        ({"sender_referral_id": "x" * 201}, "/sender_referral_id"),
        ({"person": {}}, "/person/person_id"),
        ({"consent": None}, "/consent"),
    ],
)
async def test_a_wrong_body_is_422_and_nothing_is_published(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    before = len(api.broker.sent)
    async with api.http("clinic-a") as http:
        got = await http.post("/v1/referrals", json=new(**change))
    assert got.status_code == 422
    assert got.headers["content-type"] == "application/problem+json"
    assert [e["pointer"] for e in got.json()["errors"]] == [pointer]
    assert len(api.broker.sent) == before


async def test_an_idempotency_key_makes_one_event_and_binds_its_body(api: Api) -> None:
    sent, key = new(), {"Idempotency-Key": uuid4().hex}
    async with api.http("clinic-a") as http:
        first = await http.post("/v1/referrals", json=sent, headers=key)
        before = len(api.broker.sent)
        again = await http.post("/v1/referrals", json=sent, headers=key)
        other = await http.post("/v1/referrals", json=new(), headers=key)
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 422)
    assert len(api.broker.sent) == before
    route = ("clinic-a-client", "POST /v1/referrals", key["Idempotency-Key"])
    assert api.broker.sent[-1].event_id == ids.event_id("clinic-a", *route)


async def test_an_idempotency_key_on_an_answer_answers_its_recorded_outcome(api: Api) -> None:
    referral = await api.submitted()
    hop, key = referral["hops"][-1], {"Idempotency-Key": "k"}
    async with api.http(hop["organization"]) as http:
        path, said = (
            f"/v1/referrals/{referral['id']}/responses",
            {"action": "accept", "version": referral["version"]},
        )
        first = await http.post(path, json=said, headers=key)
        again = await http.post(path, json=said, headers=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()


async def test_an_answer_is_200_with_the_referral_and_a_stale_one_409(api: Api) -> None:
    referral = await api.submitted()
    accepted = await answer(api, referral, "accept", version=referral["version"])
    assert accepted.status_code == 200
    assert accepted.json()["status"] == "accepted"
    assert accepted.headers["etag"] == f'"{accepted.json()["version"]}"'
    stale = await answer(api, referral, "start", version=referral["version"])
    assert stale.status_code == 409
    assert (stale.json()["reason"], stale.json()["version"]) == ("stale", accepted.json()["version"])
    illegal = await answer(api, referral, "resume")
    assert (illegal.status_code, illegal.json()["reason"]) == (409, "illegal")


async def test_an_answer_that_is_not_decided_in_two_seconds_is_202(api: Api) -> None:
    referral = await api.submitted()
    api.broker.holding = True
    try:
        got = await answer(api, referral, "accept")
    finally:
        api.broker.holding = False
        await api.broker.release()
    assert got.status_code == 202
    assert got.json()["status"] == "requested"


async def test_the_loop_closes_with_an_outcome_and_its_note(api: Api) -> None:
    referral = await api.submitted()
    for action, fields in (
        ("accept", {}),
        ("contact", {"method": "phone", "reached": True}),
        ("start", {}),
        ("record-service", {"service_event_id": "s-1", "code": "food-box", "units": 2}),
        ("note", {"note": "a private remark"}),
        ("complete", {"outcome": {"code": "service-provided", "need": "resolved"}, "note": "all good"}),
    ):
        got = await answer(api, referral, action, **fields)
        assert got.status_code == 200, (action, got.text)
    async with api.http("clinic-a") as http:
        found = (await http.get(f"/v1/referrals/{referral['id']}")).json()
        assert found["outcome"] == {
            "code": "service-provided",
            "need": "resolved",
            "reason": None,
            "note": "all good",
        }
        assert found["services_delivered"][0]["service_event_id"] == "s-1"
        assert found["next_action"] is None
        events = (await http.get(f"/v1/referrals/{referral['id']}/events")).json()["items"]
    assert [e["version"] for e in events] == list(range(1, found["version"] + 1))
    assert next(e for e in events if e["type"] == "note-added")["data"]["note"] == "a private remark"
    async with api.http("golden-health-plan") as http:
        text = (await http.get(f"/v1/referrals/{referral['id']}")).text
        text += (await http.get(f"/v1/referrals/{referral['id']}/events")).text
    assert "a private remark" not in text
    assert "all good" not in text


async def test_events_come_in_pages_without_gaps(api: Api) -> None:
    referral = await api.submitted()
    versions: list[int] = []
    cursor: str | None = ""
    async with api.http("clinic-a") as http:
        while cursor is not None:
            page = (
                await http.get(
                    f"/v1/referrals/{referral['id']}/events", params={"limit": 1, "cursor": cursor}
                )
            ).json()
            versions += [e["version"] for e in page["items"]]
            cursor = page["next_cursor"]
    assert versions == list(range(1, referral["version"] + 1))


async def test_a_rejected_hop_moves_on_and_leaves_its_cbo_a_stub(api: Api) -> None:
    referral = await api.submitted()
    first = referral["hops"][0]["organization"]
    assert (await answer(api, referral, "reject", reason="no-capacity")).status_code == 200
    async with api.http("clinic-a") as http:
        found = (await http.get(f"/v1/referrals/{referral['id']}")).json()
    second = found["hops"][1]["organization"]
    assert {first, second} == {"food-a", "food-b"}
    async with api.http(first) as http:
        stub = (await http.get(f"/v1/referrals/{referral['id']}")).json()
        events = (await http.get(f"/v1/referrals/{referral['id']}/events")).json()["items"]
        listed = (await http.get("/v1/referrals", params={"status": "rejected", "limit": 200})).json()[
            "items"
        ]
    assert stub["person"] is None
    assert stub["status"] == "rejected"
    assert second not in str(stub) + str(events)
    assert {e["type"] for e in events} == {"hop-requested", "hop-rejected"}
    assert referral["id"] in [r["id"] for r in listed]


async def test_a_merge_patch_is_an_amendment(api: Api) -> None:
    referral = await api.submitted()
    path = f"/v1/referrals/{referral['id']}"
    async with api.http("clinic-a") as http:
        got = await http.patch(path, json={"person": {"phone": None, "language": "es"}, "priority": "urgent"})
        assert got.status_code == 200, got.text
        assert got.json()["priority"] == "urgent"
        assert got.json()["person"]["spoken_language"] == "es"
        assert "phone" not in got.json()["person"]
        assert got.json()["version"] > referral["version"]
        same = await http.patch(path, json={"priority": "urgent"})
        assert (same.status_code, same.json()["version"]) == (200, got.json()["version"])
        refused: list[Any] = [{"priority": "x"}, {"sender_referral_id": "other"}, {"need": None}, []]
        for wrong in refused:
            assert (await http.patch(path, json=wrong)).status_code == 422


async def test_the_sender_takes_it_back_with_a_reason(api: Api) -> None:
    referral = await api.submitted()
    path = f"/v1/referrals/{referral['id']}/cancel"
    async with api.http("clinic-a") as http:
        assert (await http.post(path, json={})).status_code == 422
        assert (await http.post(path, json={"reason": "boredom"})).status_code == 422
        got = await http.post(path, json={"reason": "need-met"})
        assert (got.status_code, got.json()["status"]) == (200, "cancelled")
        assert got.json()["outcome"]["reason"] == "need-met"
    late = await answer(api, referral, "accept")
    assert late.status_code == 409
    assert late.json()["version"]


async def test_the_hub_assigns_what_needs_review(api: Api) -> None:
    referral = await api.submitted(routing="ask-first")
    assert referral["status"] == "needs-review"
    assert referral["next_action"]["who"] == "hub"
    async with api.http("hub") as http:
        queue = (await http.get("/v1/referrals", params={"status": "needs-review"})).json()["items"]
        mine = next(r for r in queue if r["id"] == referral["id"])
        assert mine["person"]["given_name"] == "Test"
        services = (await http.get("/v1/services", params={"need": "food-insecurity"})).json()["items"]
        path = f"/v1/referrals/{referral['id']}/assign"
        assert (await http.post(path, json={"service": "nothing"})).status_code == 422
        got = await http.post(path, json={"service": services[0]["id"], "reason": "near"})
        assert (got.status_code, got.json()["status"]) == (200, "requested")


async def test_consent_refused_is_refused_with_its_reason(api: Api) -> None:
    referral = await api.submitted(consent={"status": "refused"})
    assert (referral["status"], referral["outcome"]["reason"]) == ("refused", "consent-refused")


async def test_routing_is_explained_to_the_sender_alone_of_the_parties(api: Api) -> None:
    referral = await api.submitted()
    path = f"/v1/referrals/{referral['id']}/routing"
    async with api.http("clinic-a") as http:
        found = (await http.get(path)).json()
    assert found["chosen"] == referral["hops"][0]["service"]
    assert {"service", "organization", "excluded_by", "score", "parts"} == found["candidates"][0].keys()
    for other in (referral["hops"][0]["organization"], "golden-health-plan", "clinic-b", "state"):
        async with api.http(other) as http:
            assert (await http.get(path)).status_code == 404
