"""Operators who open a referral, and referrals with something to see in them; for integration tests on Api.

Comes in: a running Api. Goes out: browsers, referrals, break-glasses that are open or over. Every person is invented.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx

from tests.support.api import Api, answer
from tests.support.people import browser, enrolled, joined, token_of

WHY = "a complaint about a call that never came"
NAME, NOTE = "Zebulon-Opened", "never-shown-note"
PATH = "/v1/break-glass"


@asynccontextmanager
async def investigator(api: Api, coded: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    """An operator's person with the right, logged in with a code or without."""
    async with browser(api, await joined(api, "operator", "investigator")) as http:
        if coded:
            await enrolled(http)
        http.headers["X-CSRF-Token"] = await token_of(http)
        http.headers["Origin"] = "http://test"
        yield http


async def referred(api: Api, sender: str = "clinic-a") -> dict[str, Any]:
    """A referral of a person with a name of its own, accepted with a note."""
    made = {
        "person_id": f"P-{uuid4().hex[:8]}",
        "given_name": NAME,
        "family_name": "Synthetic",
        "birth_date": "1980-02-01",
        "phone": "+1 510 555 0100",
        "race_ethnicity": [{"system": "x", "code": "never-shown-race"}],
        "address": {"line": "1 Test St", "postal_code": "94607"},
    }
    found = await api.submitted(sender, person=made, need={"domain": "food-insecurity", "note": NOTE})
    got = await answer(api, found, "accept", note=NOTE)
    assert got.status_code == 200, got.text
    return found


def asking(referral: dict[str, Any], organization: str = "clinic-a", **changes: Any) -> dict[str, Any]:
    return {
        "organization": organization,
        "referral_id": referral["id"],
        "reason": WHY,
        "minutes": 5,
    } | changes


async def opened(http: httpx.AsyncClient, said: dict[str, Any]) -> dict[str, Any]:
    """One that is open."""
    got = await http.post(PATH, json=said)
    assert got.status_code == 201, got.text
    made: dict[str, Any] = got.json()
    assert got.headers["location"] == f"{PATH}/{made['id']}" and made["open"]
    return made


async def over(api: Api, id: str) -> None:
    """Its time passes."""
    async with api.owner() as owner:
        await owner.execute(
            "update break_glass set opened_at = opened_at - interval '1 hour', ends_at = now() - interval '1 second'"
            " where id = $1",
            UUID(id),
        )
