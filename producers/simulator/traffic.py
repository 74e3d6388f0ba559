"""The simulation as a whole: a burst that fills the pages, then a steady rate, and everybody who answers.

Comes in: a Site, the participants' credentials, a rate and a seed. Goes out: traffic until cancelled. Must never
end because the exchange is away for a while.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import httpx

from infra.participants import Participant
from producers.exchange_client import Refused
from producers.people import Simulated
from producers.publisher import BrokerAway, NotPermitted
from producers.simulator.cbo import Desk
from producers.simulator.hub import Navigator
from producers.simulator.senders import Sender, Site, dated, senders
from referrals.words import OrganizationType

BURST = 48
AT_ONCE = 8
HURRIED_S = 12.0
POLL_S = (3.0, 5.0)
HURRIED_POLL_S = (0.6, 1.0)
BACKOFF_S = 3.0


class Traffic:
    """Simulated traffic for one exchange; `run` goes on until it is cancelled."""

    def __init__(
        self,
        site: Site,
        members: list[Participant],
        rate_per_minute: float,
        seed: int,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._site = site
        self._members = members
        self._rate = rate_per_minute
        self._seed = seed
        self._report = report
        self._submissions: Iterator[dict[str, Any]] = iter(Simulated(seed))
        self._hurry_until = float("inf")
        self._said: set[str] = set()
        self.sent = 0

    async def run(self) -> None:
        """Send and answer until cancelled."""
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            sending = await stack.enter_async_context(senders(self._site, self._members))
            for member in self._members:
                step = await self._role_of(member, stack)
                if step is not None:
                    group.create_task(self._again_and_again(member.id, step))
            await self._burst(sending)
            self._hurry_until = time.monotonic() + HURRIED_S
            group.create_task(self._steadily(sending))

    async def _role_of(
        self, member: Participant, stack: AsyncExitStack
    ) -> Callable[[], Awaitable[None]] | None:
        if member.type is OrganizationType.CBO:
            client = await stack.enter_async_context(self._site.client(member))
            return Desk(member.id, client, self._seed, self._hurried).step
        if member.type is OrganizationType.HUB:
            client = await stack.enter_async_context(self._site.client(member))
            return Navigator(client, self._seed).step
        return None

    def _hurried(self) -> bool:
        return time.monotonic() < self._hurry_until

    async def _burst(self, sending: list[Sender]) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with gate:
                await self._send(sending[number % len(sending)])

        if sending:
            await asyncio.gather(*(one(number) for number in range(BURST)))

    async def _steadily(self, sending: list[Sender]) -> None:
        rng = Random(self._seed)
        due = time.monotonic()
        while sending and self._rate > 0:
            due += rng.expovariate(self._rate / 60)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._send(rng.choice(sending))

    async def _send(self, sender: Sender) -> None:
        submission = dated(next(self._submissions))
        while True:
            try:
                await sender.send(submission)
                self.sent += 1
                return
            except (httpx.HTTPError, BrokerAway) as error:
                self._complain(f"{type(sender).__name__}: {type(error).__name__}; trying again")
                await asyncio.sleep(BACKOFF_S)
            except (Refused, NotPermitted) as error:
                self._complain(f"{type(sender).__name__} was refused: {error}")
                return

    async def _again_and_again(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        rng = Random(f"{self._seed}:{name}")
        while True:
            await asyncio.sleep(rng.uniform(*(HURRIED_POLL_S if self._hurried() else POLL_S)))
            try:
                await step()
            except (httpx.HTTPError, Refused) as error:
                self._complain(f"{name}: {type(error).__name__} {error}")
                await asyncio.sleep(BACKOFF_S)

    def _complain(self, text: str) -> None:
        """Say each kind of trouble once: an exchange that is away for a while is no news."""
        if text not in self._said and len(self._said) < 50:
            self._said.add(text)
            self._report(f"simulation: {text}")
