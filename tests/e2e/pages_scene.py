"""A lively scene for the documentation's pictures: made-up people, sent and answered through the public doors."""

import asyncio
from typing import Any

import httpx

from tests.support.running import RunningExchange, until

SENDER, PAYER, FRONT = "riverside-clinic", "golden-health-plan", "harvest-food-bank"
DOMAINS = ("food-insecurity", "housing-instability", "transportation-insecurity", "utility-insecurity")
LANGUAGES, PRIORITIES, ZIPS = ("en", "es"), ("routine", "routine", "urgent"), ("94607", "94612", "94601")
PEOPLE = 28
WAITING = 4
# how a referral goes on, by its number: the actions of the organization that has it
STORIES: tuple[tuple[dict[str, Any], ...], ...] = (
    (
        {"action": "accept"},
        {"action": "complete", "outcome": {"code": "service-provided", "need": "resolved"}},
    ),
    ({"action": "accept"}, {"action": "start"}),
    ({"action": "accept"}, {"action": "complete", "outcome": {"code": "enrolled", "need": "partly"}}),
    ({"action": "accept"}, {"action": "fail", "outcome": {"code": "client-unreachable", "need": "unknown"}}),
    ({"action": "accept"},),
    (),
)


def submission(number: int) -> dict[str, Any]:
    """The n-th made-up request; the last few are for food, for the organization whose inbox is drawn."""
    waiting = number >= PEOPLE - WAITING
    domain = DOMAINS[0] if waiting else DOMAINS[number % len(DOMAINS)]
    return {
        "sender_referral_id": f"SCENE-{number:03}",
        "person": {
            "person_id": f"P-{number}",
            "given_name": f"Person {number}",
            "family_name": "Synthetic",
            "birth_date": f"19{50 + number}-03-0{1 + number % 9}",
            "phone": f"+1 510 555 01{number:02}",
            "spoken_language": LANGUAGES[number % 2],
            "interpreter_needed": number % 4 == 3,
        },
        "service_area": {"postal_code": ZIPS[number % 3], "county": "alameda"},
        "need": {"domain": domain, "note": "made up for a picture"},
        "priority": PRIORITIES[number % 3],
        "coverage": {"payer": PAYER, "member_id": f"GH-{number}"},
        "preferred_organization": FRONT if waiting else None,
        "consent": {"status": "active"},
    }


async def furnish(exchange: RunningExchange) -> None:
    """Send all and let the organizations answer all but the last few."""
    async with exchange.http(SENDER) as http:
        sent = [await http.post("/v1/referrals", json=submission(n)) for n in range(PEOPLE)]
        for number, answer in enumerate(sent):
            await _answered(exchange, http, answer.json()["id"], number)


async def _answered(exchange: RunningExchange, sender: httpx.AsyncClient, id: str, number: int) -> None:
    async def asked() -> Any:
        found = (await sender.get(f"/v1/referrals/{id}")).json()
        return found["hops"] or found["status"] == "needs-review"

    hops = await until(asked)
    if hops is True or number >= PEOPLE - WAITING:
        return
    async with exchange.http(hops[-1]["organization"]) as http:
        for said in STORIES[number % len(STORIES)]:
            await http.post(f"/v1/referrals/{id}/responses", json=said | {"hop": str(hops[-1]["hop"])})
            await asyncio.sleep(0.01)
