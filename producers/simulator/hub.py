"""The hub's navigator: takes referrals from the review queue and picks a service for most of them.

Comes in: the queue, by the hub's own token. Goes out: assignments. Must never assign what the exchange refused.
"""

import time
from random import Random
from typing import Any

from producers.exchange_client import ExchangeClient, Refused

PAUSE_S = (4.0, 20.0)
LEFT = 0.35
"""The share that stays in the queue, for people to try their hand at."""


class Navigator:
    """One hub; `step` is called again and again and does what is due."""

    def __init__(self, client: ExchangeClient, seed: int) -> None:
        self._client = client
        self._seed = seed
        self._due: dict[str, float] = {}

    async def step(self) -> None:
        """Look at the queue and assign what is due."""
        page = await self._client.get("/v1/referrals", status="needs-review", limit=100)
        for referral in page["items"]:
            rng = Random(f"{self._seed}:{referral['id']}:{referral['version']}")
            key = f"{referral['id']}:{referral['version']}"
            left = rng.random() < LEFT
            due = self._due.setdefault(
                key, float("inf") if left else time.monotonic() + rng.uniform(*PAUSE_S)
            )
            if due <= time.monotonic():
                self._due[key] = float("inf")
                await self._assign(referral, rng)

    async def _assign(self, referral: dict[str, Any], rng: Random) -> None:
        choices = await self._choices(referral)
        if not choices:
            return
        body = {
            "service": rng.choice(choices),
            "reason": "Chosen with the person by telephone",
            "version": referral["version"],
        }
        try:
            await self._client.post(f"/v1/referrals/{referral['id']}/assign", body)
        except Refused as error:
            if error.status not in (404, 409, 422):
                raise

    async def _choices(self, referral: dict[str, Any]) -> list[str]:
        """Services for the need whose organizations were not asked yet."""
        page = await self._client.get("/v1/services", need=_domain(referral), limit=100)
        asked = {hop["organization"] for hop in referral["hops"]}
        return [s["id"] for s in page["items"] if _owner(s) not in asked]


def _domain(referral: dict[str, Any]) -> str:
    need = referral.get("need")
    return str(need.get("domain")) if isinstance(need, dict) else str(need)


def _owner(service: dict[str, Any]) -> str:
    """Our id of the organization a service belongs to."""
    organization = service.get("organization")
    if not isinstance(organization, dict):
        return str(organization or service.get("organization_id"))
    for identifier in organization.get("organization_identifiers") or []:
        if identifier.get("identifier_type") == "refex":
            return str(identifier["identifier"])
    return str(organization.get("id"))
