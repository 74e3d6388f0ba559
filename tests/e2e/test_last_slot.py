"""Three hundred for one last slot, on real Kafka and Postgres with several workers: exactly one gets it."""

from collections import Counter
from typing import Any

import pytest

from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
CLINIC, NEED, PEOPLE = "riverside-clinic", "transportation-insecurity", 300


def submission(number: int) -> dict[str, Any]:
    """One person who needs a ride; each is another person."""
    person = {
        "person_id": f"SLOT-{number}",
        "given_name": f"Slot{number}",
        "family_name": f"Synthetic{number}",
    }
    person |= {"birth_date": f"19{50 + number % 50}-0{1 + number % 9}-1{number % 9}"}
    return {
        "sender_referral_id": f"LAST-SLOT-{number}",
        "person": person | {"spoken_language": "en", "address": {"postal_code": "94607", "state": "CA"}},
        "need": {"domain": NEED},
        "consent": {"status": "active"},
    }


async def test_of_three_hundred_exactly_one_gets_the_last_slot_and_nobody_is_lost(
    exchange: RunningExchange,
) -> None:
    async with exchange.http(CLINIC) as http:
        found = (await http.get("/v1/services", params={"need": NEED, "near": "94607"})).json()["items"]
    service = next(s for s in found if s["serves_area"])
    async with exchange.database() as database:
        owner = await database.fetchval("select tenant from service where id = $1", service["id"])
    path = f"/v1/services/{service['id']}/capacity"
    async with exchange.http(owner) as http:
        assert (await http.put(path, json={"available": 1})).status_code == 200
    async with exchange.publisher(CLINIC) as publisher:
        published = await publisher.submit_many([submission(n) for n in range(PEOPLE)])
    ids = [p.id for p in published]

    async def decided() -> tuple[Counter[str], Counter[str]]:
        async with exchange.database() as database:
            rows = await database.fetch("select status from referral where id = any ($1::uuid[])", ids)
            hops = await database.fetch(
                "select service::text from hop where referral_id = any ($1::uuid[])", ids
            )
        assert len(rows) == PEOPLE
        return Counter(r["status"] for r in rows), Counter(r["service"] for r in hops)

    try:
        statuses, asked = await until(decided, timeout_s=60.0)
        assert asked[service["id"]] == 1
        assert statuses["requested"] == asked.total()
        assert statuses["requested"] + statuses["needs-review"] == PEOPLE
        assert asked.total() > 1, "the next service is asked"
    finally:
        async with exchange.http(owner) as http:
            assert (await http.put(path, json={"status": "open"})).status_code == 200
