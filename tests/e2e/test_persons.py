"""One person sent by two senders, on real Kafka and Postgres: flagged at once, proposed to the hub, linked by it."""

from typing import Any
from uuid import uuid4

import pytest

from referrals import ids
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real


def submission(person_id: str, **person: Any) -> dict[str, Any]:
    made = {
        "person_id": person_id,
        "given_name": "Wilhelmina",
        "family_name": "Synthetic-Persons",
        "birth_date": "1962-07-21",
        "phone": "+1 510 555 0177",
        "address": {"line": "77 Sample Avenue", "city": "Oakland", "postal_code": "94607", "state": "CA"},
    }
    return {
        "sender_referral_id": uuid4().hex,
        "person": made | person,
        "need": {"domain": "food-insecurity"},
        "consent": {"status": "active"},
    }


async def routed(exchange: RunningExchange, who: str, id: str) -> dict[str, Any]:
    async def check() -> dict[str, Any]:
        async with exchange.http(who) as http:
            found: dict[str, Any] = (await http.get(f"/v1/referrals/{id}")).json()
        assert found["status"] == "requested", found
        return found

    return await until(check)


async def test_the_same_person_from_a_clinic_over_http_and_from_a_plan_over_kafka(
    exchange: RunningExchange,
) -> None:
    one, two = uuid4().hex, uuid4().hex
    async with exchange.http("riverside-clinic") as http:
        sent = await http.post("/v1/referrals", json=submission(one))
    first = await routed(exchange, "riverside-clinic", sent.json()["id"])
    swapped = {"given_name": "Synthetic-Persons", "family_name": "Wilhelmina", "phone": "510.555.0177"}
    async with exchange.publisher("golden-health-plan") as publisher:
        published = await publisher.submit(submission(two, **swapped))
    second = await routed(exchange, "golden-health-plan", str(published.id))
    assert (first["flags"], second["flags"]) == ([], ["likely-duplicate"])

    async def proposed() -> dict[str, Any]:
        async with exchange.http("county-hub") as http:
            links = (await http.get("/v1/persons/links", params={"status": "proposed"})).json()["items"]
        persons = {
            str(ids.person_key("riverside-clinic", one)),
            str(ids.person_key("golden-health-plan", two)),
        }
        found: list[dict[str, Any]] = [link for link in links if set(link["persons"]) == persons]
        assert found, links
        return found[0]

    link = await until(proposed)
    assert set(link["same"]) == {"birth_date", "phone", "address"}
    async with exchange.http("county-hub") as http:
        answer = await http.post(f"/v1/persons/links/{link['id']}/confirm")
    assert (answer.status_code, answer.json()["status"]) == (200, "confirmed"), answer.text
    async with exchange.database() as owner:
        told = await owner.fetchval(
            "select string_agg(convert_from(data, 'UTF8'), ' ') from history where kind = 'person-link'"
        )
    assert "confirmed" in told and "Wilhelmina" not in told and "0177" not in told
