"""A community organization's desk: reads its inbox, answers, starts, finishes - by its own token.

Comes in: referrals it may see. Goes out: answers. Must never answer for another organization.
"""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from producers.exchange_client import ExchangeClient, Refused
from producers.simulator import chances

OPEN = ("requested", "accepted", "in-progress", "on-hold")
RESCAN_S = 30.0


class Desk:
    """One organization; `step` is called again and again and does what is due."""

    def __init__(
        self, organization: str, client: ExchangeClient, seed: int, hurried: Callable[[], bool]
    ) -> None:
        self.organization = organization
        self._client = client
        self._seed = seed
        self._hurried = hurried
        self._due: dict[tuple[str, str, str], float] = {}
        self._steps: dict[str, int] = {}
        self._scanned = float("-inf")

    async def step(self) -> None:
        """Look at the inbox; now and then at everything open; then act on what is due."""
        everything = time.monotonic() - self._scanned > RESCAN_S
        for status in OPEN if everything else OPEN[:1]:
            page = await self._client.get("/v1/referrals", status=status, limit=100)
            for referral in page["items"]:
                self._plan(referral)
        if everything:
            self._scanned = time.monotonic()
        await self._act()

    def _plan(self, referral: dict[str, Any]) -> None:
        for hop in referral["hops"]:
            if hop["organization"] == self.organization and hop["status"] in OPEN:
                key = (referral["id"], hop["hop"], hop["status"])
                seconds = chances.pause(self._seed, hop["hop"], hop["status"], self._hurried())
                self._due.setdefault(key, time.monotonic() + seconds)

    async def _act(self) -> None:
        now = time.monotonic()
        for key in [key for key, at in self._due.items() if at <= now]:
            referral, hop, status = key
            answer = chances.answer(self._seed, hop, status, self._steps.get(hop, 0))
            if answer is None:
                self._due[key] = now + chances.WAIT_S
                self._steps[hop] = self._steps.get(hop, 0) + 1
                continue
            del self._due[key]
            await self._answer(referral, hop, answer)

    async def _answer(self, referral: str, hop: str, answer: dict[str, Any]) -> None:
        self._steps[hop] = self._steps.get(hop, 0) + 1
        try:
            after = await self._client.post(
                f"/v1/referrals/{referral}/responses", dated(answer, datetime.now(UTC).date())
            )
        except Refused as error:
            if error.status not in (404, 409):  # somebody was faster, or it is not ours any more
                raise
            return
        if isinstance(after, dict) and "hops" in after:
            self._plan(after)


def dated(answer: dict[str, Any], today: date) -> dict[str, Any]:
    """The answer with its review date; chances know days, not dates, so that a story stays the same."""
    if "review_in_days" not in answer:
        return answer
    rest = {k: v for k, v in answer.items() if k != "review_in_days"}
    return rest | {"review_date": (today + timedelta(days=answer["review_in_days"])).isoformat()}
