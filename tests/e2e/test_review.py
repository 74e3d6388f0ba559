"""What no rule can place goes to the hub, where a person places it; what may not be shared is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.test_journey import respond, routed, shown, submission
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
CLINIC, HUB = "lakeview-health", "county-hub"


async def sent(exchange: RunningExchange, **changes: Any) -> str:
    body = submission(f"REVIEW-{datetime.now(UTC):%H%M%S%f}") | changes
    async with exchange.http(CLINIC) as http:
        answer = await http.post("/v1/referrals", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def reaches(exchange: RunningExchange, referral: Any, status: str) -> dict[str, Any]:
    async def there() -> dict[str, Any]:
        found = await shown(exchange, CLINIC, referral)
        assert found["status"] == status, found
        return found

    return await until(there)


async def test_without_a_candidate_the_hub_assigns(exchange: RunningExchange) -> None:
    far = {"postal_code": "90012", "county": "Los Angeles", "state": "CA"}
    referral = await sent(exchange, person=submission("x")["person"] | {"address": far})
    waiting = await reaches(exchange, referral, "needs-review")
    assert waiting["next_action"]["who"] == HUB
    async with exchange.http(HUB) as http:
        queue = (await http.get("/v1/referrals?status=needs-review&limit=200")).json()["items"]
        assert referral in [item["id"] for item in queue]
        services = (await http.get("/v1/services?need=food-insecurity&near=94607")).json()["items"]
        answer = await http.post(
            f"/v1/referrals/{referral}/assign", json={"service": services[0]["id"], "reason": "spoke to them"}
        )
    assert answer.status_code == 200, answer.text
    placed = await routed(exchange, CLINIC, referral)
    await respond(exchange, referral, placed["hops"][0]["organization"], action="accept")


@pytest.mark.parametrize(
    ("consent", "status"),
    [("refused", "refused"), ("revoked", "refused"), ("absent", "needs-review"), ("expired", "needs-review")],
)
async def test_without_consent_nobody_is_asked(exchange: RunningExchange, consent: str, status: str) -> None:
    referral = await sent(exchange, consent={"status": consent})
    assert (await reaches(exchange, referral, status))["hops"] == []


async def test_three_rejections_end_at_the_hub(exchange: RunningExchange) -> None:
    referral = await sent(exchange)
    asked = []
    for _ in range(3):
        hop = (await routed(exchange, CLINIC, referral))["hops"][-1]
        asked.append(hop["organization"])
        await respond(exchange, referral, asked[-1], action="reject", reason="no-capacity", hop=hop["hop"])
    assert len(set(asked)) == 3
    await reaches(exchange, referral, "needs-review")


async def test_cancelling_tells_the_organization_that_was_asked(exchange: RunningExchange) -> None:
    referral = await sent(exchange)
    hop = (await routed(exchange, CLINIC, referral))["hops"][0]
    async with exchange.http(CLINIC) as http:
        answer = await http.post(f"/v1/referrals/{referral}/cancel", json={"reason": "need-met"})
    assert answer.status_code in (200, 202), answer.text
    await reaches(exchange, referral, "cancelled")
    seen = await shown(exchange, hop["organization"], referral)
    assert seen["hops"][0]["status"] == "cancelled"
    assert "Synthetic" not in str(seen)
