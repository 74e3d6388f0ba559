"""The plan's approval over HTTP, on a real Postgres: who waits, what is refused with 409, what is left of the units."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.api import Api, answer

PLAN = "cedar-health-plan"
COVERAGE = {"payer": PLAN, "member_id": "M-1"}


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("api")) as running:
        yield running


async def decide(api: Api, referral: dict[str, Any], **decision: Any) -> Any:
    async with api.http(PLAN) as http:
        return await http.post(f"/v1/referrals/{referral['id']}/authorization", json=decision)


async def shown(api: Api, referral: dict[str, Any], who: str = "clinic-a") -> dict[str, Any]:
    async with api.http(who) as http:
        found: dict[str, Any] = (await http.get(f"/v1/referrals/{referral['id']}")).json()
    return found


async def test_start_is_refused_until_the_plan_approves_and_units_are_a_limit(api: Api) -> None:
    referral = await api.submitted(coverage=COVERAGE)
    assert referral["authorization"] == referral["authorization"] | {"required": True, "status": "pending"}
    assert (await answer(api, referral, "accept")).status_code == 200
    refused = await answer(api, referral, "start")
    assert refused.status_code == 409 and PLAN in refused.json()["detail"], refused.text
    waiting = await shown(api, referral)
    assert (waiting["status"], waiting["next_action"]["who"]) == ("accepted", PLAN)
    assert waiting["next_action"]["what"] == "authorize" and waiting["next_action"]["due_at"]

    approved = await decide(api, referral, status="partial", number="A-7", units=2, **{"from": "2026-01-01"})
    assert approved.status_code == 200, approved.text
    said = approved.json()["authorization"]
    assert {k: said[k] for k in ("required", "status", "number", "units", "from", "to")} == {
        "required": True,
        "status": "partial",
        "number": "A-7",
        "units": 2,
        "from": "2026-01-01",
        "to": None,
    }
    assert (await answer(api, referral, "start")).status_code == 200
    service = {"service_event_id": "S-1", "units": 1.5, "date": "2026-11-05"}
    assert (await answer(api, referral, "record-service", **service)).status_code == 200
    beyond = await answer(api, referral, "record-service", service_event_id="S-2", units=1, date="2026-11-06")
    assert beyond.status_code == 409 and "0.5 are left" in beyond.json()["detail"]
    early = await answer(
        api, referral, "record-service", service_event_id="S-3", units=0.5, date="2025-12-31"
    )
    assert early.status_code == 409 and "outside" in early.json()["detail"]


async def test_before_routing_nobody_sees_it_but_the_plan_and_a_denial_ends_it(api: Api) -> None:
    referral = await api.submitted(coverage=COVERAGE, need={"domain": "homelessness"})
    assert (referral["status"], referral["hops"]) == ("received", [])
    assert referral["next_action"]["who"] == PLAN
    async with api.owner() as owner:
        rows = await owner.fetch(
            "select kind, generation from deadline where referral_id = $1", referral["id"]
        )
    assert {"authorization", "authorization.reminder", "acceptance", "closure"} <= {r["kind"] for r in rows}
    denied = await decide(api, referral, status="denied", reason="not a benefit")
    assert (denied.status_code, denied.json()["status"]) == (200, "failed")
    ended = await shown(api, referral)
    assert ended["outcome"]["code"] == "not-authorized" and ended["next_action"] is None
    async with api.owner() as owner:
        left = await owner.fetchval("select count(*) from deadline where referral_id = $1", referral["id"])
    assert left == 0, "what has ended waits for nothing"


async def test_an_approval_routes_and_a_decision_nobody_can_follow_is_422(api: Api) -> None:
    referral = await api.submitted(coverage=COVERAGE, need={"domain": "homelessness"})
    for wrong in ({"units": 0}, {"from": "soon"}, {"from": "2026-02-02", "to": "2026-02-01"}):
        assert (await decide(api, referral, status="partial", **wrong)).status_code == 422, wrong
    assert (await decide(api, referral, status="approved", number="A-8")).status_code == 200
    assert (await shown(api, referral))["status"] == "needs-review", (
        "approved, and no shelter in this directory"
    )
    async with api.http("clinic-a") as http:
        foreign = await http.post(
            f"/v1/referrals/{referral['id']}/authorization", json={"status": "approved"}
        )
    assert foreign.status_code == 403
