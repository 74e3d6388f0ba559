"""One referral all the way round, on real Kafka and Postgres, through public doors alone.

A clinic's Bundle over HTTP and a plan's Avro message over its own Kafka log-in; one CBO rejects, the next accepts;
one completes with an outcome. API, pages, measures, referral.event, feedback and /metrics must tell the same story.
"""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

import producers
from avro_schemas import topics
from producers.feedback import Feedback
from referrals import ids
from tests.support.audit import read_all
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
CLINIC, PLAN = "riverside-clinic", "golden-health-plan"
CONTRACT = "golden-health-plan-2026"
EXAMPLE = Path(producers.__file__).parent / "examples" / "referral_bundle.json"


def bundle(sender_referral_id: str) -> dict[str, Any]:
    """Our Gravity-shaped example under an id of this test's own, payer: the plan."""
    made: dict[str, Any] = msgspec.json.decode(EXAMPLE.read_bytes())
    for entry in made["entry"]:
        if entry["resource"]["resourceType"] == "ServiceRequest":
            entry["resource"]["identifier"] = [{"system": "urn:refex:synthetic", "value": sender_referral_id}]
    return made


def submission(sender_referral_id: str) -> dict[str, Any]:
    """What the plan sends over Kafka."""
    return {
        "sender_referral_id": sender_referral_id,
        "person": {
            "person_id": "JOURNEY-MEMBER",
            "given_name": "Journey",
            "family_name": "Synthetic",
            "birth_date": "1971-05-06",
            "spoken_language": "es",
            "address": {"postal_code": "94607", "county": "Alameda", "state": "CA"},
        },
        "need": {"domain": "food-insecurity"},
        "coverage": {"payer": PLAN, "member_id": "GHP-SYN-1"},
        "consent": {"status": "active"},
    }


async def shown(exchange: RunningExchange, who: str, referral: UUID | str) -> dict[str, Any]:
    async with exchange.http(who) as http:
        answer = await http.get(f"/v1/referrals/{referral}")
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


async def routed(exchange: RunningExchange, who: str, referral: UUID | str) -> dict[str, Any]:
    async def requested() -> dict[str, Any]:
        found = await shown(exchange, who, referral)
        assert found["status"] == "requested", found
        return found

    return await until(requested)


async def respond(exchange: RunningExchange, referral: UUID | str, who: str, **body: Any) -> dict[str, Any]:
    async with exchange.http(who) as http:
        answer = await http.post(f"/v1/referrals/{referral}/responses", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def measures(exchange: RunningExchange) -> dict[str, Any]:
    async with exchange.http(PLAN) as http:
        answer = await http.get(f"/v1/contracts/{CONTRACT}/measures")
    answer.raise_for_status()
    return {m["id"]: m["numerator"] for m in answer.json()["measures"]}


async def metric(exchange: RunningExchange, name: str) -> float:
    """The sum of one metric family on /metrics."""
    async with exchange.http() as http:
        text = (await http.get("/metrics")).text
    values = re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", text, re.M)
    return sum(float(v) for v in values)


async def published(exchange: RunningExchange, referral: UUID | str) -> list[tuple[int, str, str]]:
    records = await read_all(exchange.kafka_login(), topics.REFERRAL_EVENT)
    mine = [r for r in records if r["referral_id"] == str(referral)]
    return [(r["version"], r["type"], r["status"]) for r in mine]


async def heard(exchange: RunningExchange, who: str, referral: UUID | str, last: str) -> list[Feedback]:
    """What a sender hears about one referral, up to a given type."""
    found: list[Feedback] = []
    reader = exchange.feedback(who, f"journey-{referral}")
    async with asyncio.timeout(30), reader:
        async for fact in reader:
            if fact.referral_id == str(referral):
                found.append(fact)
                if fact.type == last:
                    break
    return found


async def page(exchange: RunningExchange, organization: str, path: str) -> str:
    """A page as its user sees it, logged in through the form."""
    user = exchange.organization(organization)["users"][0]
    async with httpx.AsyncClient(base_url=exchange.url, trust_env=False, follow_redirects=True) as http:
        form = (await http.get("/login")).text
        token = re.search(r'name="csrf" value="([^"]*)"', form)
        fields = {"email": user["email"], "password": user["password"], "csrf": token[1] if token else ""}
        answer = await http.post("/login", data=fields)
        assert answer.status_code == 200, answer.text
        answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_a_clinics_bundle_is_rejected_once_rerouted_and_closed(exchange: RunningExchange) -> None:
    before, counted = await measures(exchange), await metric(exchange, "refex_referrals_submitted_total")
    name = f"JOURNEY-{datetime.now(UTC):%H%M%S%f}"
    async with exchange.http(CLINIC) as http:
        answer = await http.post(
            "/fhir", json=bundle(name), headers={"content-type": "application/fhir+json"}
        )
    assert answer.status_code in (200, 202), answer.text
    referral = ids.referral_id(CLINIC, name)
    assert f"Task/{referral}" in [e["response"].get("location") for e in answer.json()["entry"]]

    first = (await routed(exchange, CLINIC, referral))["hops"][0]["organization"]
    waiting = await shown(exchange, first, referral)
    assert "Maple-Test" not in str(waiting), "no identity before acceptance"
    await respond(exchange, referral, first, action="reject", reason="no-capacity")
    again = await routed(exchange, CLINIC, referral)
    second = again["hops"][1]["organization"]
    assert [h["status"] for h in again["hops"]] == ["rejected", "requested"] and first != second
    accepted = await respond(exchange, referral, second, action="accept")
    assert accepted["person"]["family_name"] == "Maple-Test", "identity after acceptance"
    await respond(exchange, referral, second, action="start")
    outcome = {"code": "service-provided", "need": "resolved"}
    closed = await respond(exchange, referral, second, action="complete", outcome=outcome, note="weekly box")
    assert closed["status"] == "completed"

    seen = await shown(exchange, CLINIC, referral)
    assert (seen["status"], seen["outcome"]["code"], seen["outcome"]["need"]) == (
        "completed",
        "service-provided",
        "resolved",
    )
    assert "Maple-Test" not in str(await shown(exchange, first, referral)), "a stub after rejection"
    async with exchange.http(CLINIC) as http:
        events = (await http.get(f"/v1/referrals/{referral}/events")).json()["items"]
        routing = (await http.get(f"/v1/referrals/{referral}/routing")).json()
    assert [e["version"] for e in events] == list(range(1, seen["version"] + 1))
    assert {c["excluded_by"]["rule"] for c in routing["candidates"] if c["excluded_by"]} >= {"earlier-hop"}

    story = [(e["version"], e["type"]) for e in events]

    async def relayed() -> bool:
        return [(v, t) for v, t, _ in await published(exchange, referral)] == story

    await until(relayed)
    feedback = await heard(exchange, CLINIC, referral, "hop-completed")
    assert [(f.version, f.type) for f in feedback] == story
    assert feedback[-1].status == "completed"
    after = await measures(exchange)
    assert (after["received"], after["accepted"], after["closed"]) == (
        before["received"] + 1,
        before["accepted"] + 1,
        before["closed"] + 1,
    )
    assert await metric(exchange, "refex_referrals_submitted_total") > counted
    assert "Helped" in await page(exchange, CLINIC, f"/clinic/referrals/{referral}")
    assert str(int(after["received"])) in await page(exchange, PLAN, "/mco")

    async with exchange.http(CLINIC) as http:
        repeated = await http.post(
            "/fhir", json=bundle(name), headers={"content-type": "application/fhir+json"}
        )
    assert repeated.status_code in (200, 202)
    await asyncio.sleep(1)
    assert (await shown(exchange, CLINIC, referral))["version"] == seen["version"], (
        "the same again: no effect"
    )
    assert await measures(exchange) == after


async def test_a_plans_avro_message_goes_round_and_comes_back_as_feedback(exchange: RunningExchange) -> None:
    name = f"PLAN-{datetime.now(UTC):%H%M%S%f}"
    async with exchange.publisher(PLAN) as publisher:
        sent = await publisher.submit(submission(name))
        referral = sent.id
        hop = (await routed(exchange, PLAN, referral))["hops"][0]
        await respond(exchange, referral, hop["organization"], action="accept", hop=hop["hop"])
        outcome = {"code": "client-unreachable", "need": "unresolved"}
        await respond(exchange, referral, hop["organization"], action="fail", outcome=outcome)
        seen = await shown(exchange, PLAN, referral)
        assert (seen["status"], seen["outcome"]["code"]) == ("failed", "client-unreachable")
        assert (await publisher.submit(submission(name))).event_id == sent.event_id
    feedback = await heard(exchange, PLAN, referral, "hop-failed")
    assert [f.version for f in feedback] == list(range(1, seen["version"] + 1))
    await asyncio.sleep(1)
    assert (await shown(exchange, PLAN, referral))["version"] == seen["version"]


async def test_time_to_accept_is_what_the_events_say(exchange: RunningExchange) -> None:
    async with exchange.http(PLAN) as http:
        answer = await http.get(f"/v1/contracts/{CONTRACT}/measures")
        listed = await http.get(f"/v1/contracts/{CONTRACT}/measures/accepted/referrals?limit=200")
    found = {m["id"]: m for m in answer.json()["measures"]}
    hours = []
    for item in (i for i in listed.json()["items"] if i["numerator"]):
        async with exchange.http(PLAN) as http:
            events = (await http.get(f"/v1/referrals/{item['id']}/events")).json()["items"]
        at = {e["type"]: datetime.fromisoformat(e["at"]) for e in reversed(events)}
        hours.append((at["hop-accepted"] - at["referral-received"]) / timedelta(hours=1))
    assert len(hours) == found["accepted"]["numerator"]
    middle = sorted(hours)[len(hours) // 2] if len(hours) % 2 else None
    if middle is not None:
        assert found["time-to-accept"]["value"] == pytest.approx(middle, abs=0.01)
