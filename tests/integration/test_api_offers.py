"""Offers, the hub's answers and closes, corrections and voids over HTTP, on a real Postgres with the real batch."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.api import Api, answer

OUTCOME = {"code": "service-provided", "need": "resolved"}


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("api")) as running:
        yield running


async def respond(api: Api, who: str, referral: dict[str, Any], action: str, **fields: Any) -> Any:
    async with api.http(who) as http:
        return await http.post(f"/v1/referrals/{referral['id']}/responses", json={"action": action, **fields})


async def services(api: Api) -> list[str]:
    async with api.http("hub") as http:
        found = (await http.get("/v1/services", params={"need": "food-insecurity"})).json()["items"]
    return [s["id"] for s in found]


async def assigned(api: Api, **body: Any) -> tuple[dict[str, Any], Any]:
    referral = await api.submitted(routing="ask-first")
    async with api.http("hub") as http:
        return referral, await http.post(f"/v1/referrals/{referral['id']}/assign", json=body)


async def read(api: Api, who: str, referral: dict[str, Any]) -> dict[str, Any]:
    async with api.http(who) as http:
        found: dict[str, Any] = (await http.get(f"/v1/referrals/{referral['id']}")).json()
    return found


async def test_the_hub_asks_several_and_the_first_to_accept_wins(api: Api) -> None:
    referral, got = await assigned(api, services=await services(api), reason="both are near")
    assert got.status_code == 200, got.text
    hops = got.json()["hops"]
    assert {h["status"] for h in hops} == {"requested"} and {h["offer"] for h in hops} == {1}
    first, second = (h["organization"] for h in hops)
    for hop in hops:
        mine = await read(api, hop["organization"], referral)
        assert [h["hop"] for h in mine["hops"]] == [hop["hop"]]
        assert mine["next_action"]["who"] == hop["organization"], "nobody hears of the others"
    assert (await respond(api, second, referral, "accept")).status_code == 200
    lost = await respond(api, first, referral, "accept")
    assert (lost.status_code, lost.json()["reason"]) == (409, "taken")
    assert "do not contact the person" in lost.json()["detail"]
    told = await read(api, first, referral)
    assert (told["status"], told["hops"][0]["reason"]) == ("cancelled", "accepted-elsewhere")
    assert told["person"] is None


@pytest.mark.parametrize("body", [{}, {"services": []}, {"services": ["a b", "c"]}, {"services": ["x", "y"]}])
async def test_an_offer_to_nobody_is_422(api: Api, body: dict[str, Any]) -> None:
    _, got = await assigned(api, **body)
    assert got.status_code == 422


async def test_the_hub_closes_what_it_reviews_and_takes_it_up_again(api: Api) -> None:
    referral = await api.submitted(routing="ask-first")
    none = {"code": "no-service-found", "need": "unresolved"}
    assert (
        await respond(api, "hub", referral, "fail", outcome={"code": "no-service-found"})
    ).status_code == 422
    closed = await respond(api, "hub", referral, "fail", outcome=none, note="nobody within reach")
    assert (closed.status_code, closed.json()["status"]) == (200, "failed")
    assert closed.json()["outcome"] == none | {"reason": None, "note": "nobody within reach"}
    again = await respond(api, "hub", referral, "reopen")
    assert (again.json()["status"], again.json()["reason"]) == ("needs-review", "reopened")


async def test_the_hub_records_what_it_was_told_and_reopens_what_was_closed(api: Api) -> None:
    referral, got = await assigned(api, service=(await services(api))[0], reason="called them")
    cbo = got.json()["hops"][0]["organization"]
    by_phone = {"on_behalf_of": cbo, "channel": "phone"}
    wrong = await respond(api, "hub", referral, "accept", on_behalf_of=cbo)
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["pointer"] == "/channel"
    assert (await respond(api, cbo, referral, "accept", on_behalf_of="hub", channel="fax")).status_code == 403
    assert (await respond(api, "hub", referral, "accept")).status_code == 409
    assert (await respond(api, "hub", referral, "accept", **by_phone)).status_code == 200
    done = await respond(
        api, "hub", referral, "complete", outcome=OUTCOME, follow_up="2099-01-01", **by_phone
    )
    assert (done.json()["status"], done.json()["follow_up"]) == ("completed", "2099-01-01")
    async with api.http("clinic-a") as http:
        events = (await http.get(f"/v1/referrals/{referral['id']}/events")).json()["items"]
    actor = next(e["actor"] for e in events if e["type"] == "hop-accepted")
    assert (actor["organization"], actor["on_behalf_of"], actor["channel"]) == ("hub", cbo, "phone")
    async with api.http(cbo) as http:
        mine = (await http.get(f"/v1/referrals/{referral['id']}/events")).json()["items"]
    assert actor in [e["actor"] for e in mine], "the organization sees who answered for it"
    reopened = await respond(api, "hub", referral, "reopen")
    assert (reopened.status_code, reopened.json()["status"]) == (200, "in-progress")
    assert reopened.json()["follow_up"] is None


async def test_before_its_time_the_hub_waits_for_the_organization(api: Api) -> None:
    referral = await api.submitted(consent={"status": "absent"})
    async with api.http("clinic-a") as http:
        placed = await http.patch(f"/v1/referrals/{referral['id']}", json={"consent": {"status": "active"}})
    cbo = placed.json()["hops"][0]["organization"]
    early = await respond(api, "hub", referral, "accept", on_behalf_of=cbo, channel="phone")
    assert early.status_code == 403 and "answers online" in early.json()["detail"]


async def test_a_failure_that_goes_on_shows_its_organization_no_more(api: Api) -> None:
    referral = await api.submitted()
    first = referral["hops"][0]["organization"]
    assert (await answer(api, referral, "accept")).status_code == 200
    none = {"code": "no-capacity", "need": "unresolved"}
    failed = await answer(api, referral, "fail", outcome=none)
    assert (failed.status_code, failed.json()["status"]) == (200, "failed")
    assert failed.json()["person"] is None
    now = await read(api, "clinic-a", referral)
    assert (now["status"], now["outcome"], len(now["hops"])) == ("requested", None, 2)
    assert now["hops"][0]["reason"] == "no-capacity" and now["hops"][1]["organization"] != first


async def test_services_are_voided_outcomes_corrected_and_the_need_is_said(api: Api) -> None:
    referral = await api.submitted()
    for action, fields in (
        ("accept", {}),
        ("record-service", {"service_event_id": "s-1", "units": 2}),
        ("record-service", {"service_event_id": "s-2", "units": 1}),
        ("record-service", {"service_event_id": "s-1", "void": True}),
    ):
        got = await answer(api, referral, action, **fields)
        assert got.status_code == 200, got.text
    assert [s["service_event_id"] for s in got.json()["services_delivered"]] == ["s-2"]
    unsaid = await answer(api, referral, "complete", outcome={"code": "enrolled"})
    assert unsaid.json()["errors"][0]["pointer"] == "/outcome/need"
    assert (await answer(api, referral, "complete", outcome=OUTCOME)).status_code == 200
    right = await answer(api, referral, "correct", outcome={"code": "moved"}, note="it was the neighbour")
    assert (right.json()["status"], right.json()["outcome"]["code"]) == ("failed", "moved")


async def counts(api: Api, measure: str, referral: dict[str, Any]) -> bool | None:
    """Whether a referral is in a measure's numerator; None: it does not count at all."""
    path = f"/v1/contracts/golden-health-plan-2026/measures/{measure}/referrals"
    async with api.http("golden-health-plan") as http:
        items = (await http.get(path, params={"limit": 200})).json()["items"]
    return next((bool(i["numerator"]) for i in items if i["id"] == referral["id"]), None)


async def test_measures_follow_reopening_correction_and_error(api: Api) -> None:
    referral = await api.submitted()
    for action, fields, closed, helped in (
        ("accept", {}, False, False),
        ("complete", {"outcome": OUTCOME}, True, True),
        ("reopen", {}, False, False),
        ("fail", {"outcome": {"code": "moved", "need": "unknown"}}, True, False),
        ("correct", {"outcome": {"code": "enrolled", "need": "resolved"}}, True, True),
    ):
        assert (await answer(api, referral, action, **fields)).status_code == 200
        found = (await counts(api, "closed", referral), await counts(api, "helped", referral))
        assert found == (closed, helped), action
    async with api.http("clinic-a") as http:
        path = f"/v1/referrals/{referral['id']}/cancel"
        assert (await http.post(path, json={"reason": "entered-in-error"})).status_code == 200
    assert await counts(api, "received", referral) is None
