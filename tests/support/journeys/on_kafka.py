"""Plays a story on a running exchange: the sender's own topic and HTTP, real Kafka and Postgres behind them.

Comes in: a Story, a running exchange. Goes out: what its history holds, and what each party is shown. Time passes by
moving a deadline in the database, as nobody waits three days; nothing else is written there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import msgspec

from producers import envelope
from producers.envelope import Said
from producers.producer import RecordProducer
from referrals import ids
from tests.support.command import refex
from tests.support.journeys.stories import Step, Story
from tests.support.journeys.telling import Fact, by_calendar, dated, named, wrong_facts
from tests.support.lag import behind
from tests.support.running import RunningExchange, until

PATIENCE_S = 20.0
HISTORY = """
select type, at, data from history
where lane = $1 and (stream_id = $2 or convert_from(data, 'UTF8')::jsonb ->> 'stream_id' = $2::text)
order by lane_seq
"""


class OnKafka:
    """One story being played; `prepare`, then `play` its steps in order."""

    def __init__(self, story: Story, exchange: RunningExchange) -> None:
        self.story = story
        self.exchange = exchange
        self.refused: list[int] = []

    async def prepare(self) -> None:
        """Who takes part and is no demo organization, then the story's services, through the directory's topic."""
        known = {o["id"] for o in self.exchange.organizations}
        for id, kind in self.story.stage.organizations.items():
            if id not in known:
                await self._join(id, kind)
        services, now = self.story.services(), datetime.now(UTC)
        records = [
            envelope.service_changed(
                Said(ids.event_id(s.organization, "journeys", s.id), s.organization, now),
                s,
                {"id": s.id, "name": s.name, "organization": {"name": s.organization}},
            )
            for s in services
        ]
        async with RecordProducer(self.exchange.kafka_login(), "journeys") as producer:
            await producer.send(records)

        async def in_force() -> bool:
            async with self.exchange.database() as database:
                wanted = [s.id for s in services]
                found = await database.fetchval("select count(*) from service where id = any ($1)", wanted)
            return bool(found == len(services))

        await until(in_force, PATIENCE_S)

    async def _join(self, id: str, kind: str) -> None:
        """As an operator does; workers know their participants two seconds later at the latest."""
        joined = await refex(self.exchange, "participant", "add", id, "--type", kind, "--name", id, "--json")
        assert joined.code == 0, joined.stderr
        self.exchange.joined[id] = msgspec.json.decode(joined.stdout)
        await asyncio.sleep(2.5)

    async def play(self, step: Step) -> None:
        """Do one step, and wait until every referral has the facts that the story expects by then."""
        await SAID[step.does](self, step, dated(step.content, datetime.now(UTC)))
        if (
            not step.referral
        ):  # it makes no fact of a referral to wait for, and the next step is in another topic
            await until(self._all_applied, PATIENCE_S)
        for name in self.story.expected.facts:
            await self._recorded(name, step.step)

    async def _all_applied(self) -> bool:
        return await behind(self.exchange) == 0

    async def _recorded(self, name: str, step: int) -> None:
        by_step = self.story.expected.facts[name]
        expected = [f for number in sorted(by_step) if number <= step for f in by_step[number]]
        expected = by_calendar(expected, exact=False)

        async def told() -> bool:
            wrong = wrong_facts(expected, await self.told(name))
            assert not wrong, f"{self.story.name}, {name} after step {step}: " + "; ".join(wrong)
            return True

        await until(told, PATIENCE_S)

    async def told(self, name: str) -> list[Fact]:
        """Everything recorded about one referral, in the words of the story."""
        referral, names = self.story.referral(name), self.story.names()
        async with self.exchange.database() as database:
            found = await database.fetch(HISTORY, ids.lane(referral), referral)
        return [
            (row["type"], named(_without_type(msgspec.json.decode(row["data"])), names), row["at"])
            for row in found
        ]

    async def seen(self, who: str, name: str) -> dict[str, Any] | None:
        """The referral as a party is shown it, in the words of the story; None when it is a 404."""
        async with self.exchange.http(who) as http:
            answer = await http.get(self._path(name))
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = named(answer.json(), self.story.names())
        return found

    def _path(self, name: str) -> str:
        return f"/v1/referrals/{self.story.referral(name)}"

    async def ask(self, step: Step, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
        """One request as the step's organization; a 409 is a refusal, any other error is the story's fault."""
        async with self.exchange.http(step.who) as http:
            answer = await http.request(method, path, json=body)
        if answer.status_code == 409:
            self.refused.append(step.step)
        else:
            answer.raise_for_status()
        return answer


def _without_type(data: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in data.items() if k != "type"}


async def _submit(play: OnKafka, step: Step, content: dict[str, Any]) -> None:
    body = play.story.submission(msgspec.structs.replace(step, content=content))
    if step.door == "http":
        await play.ask(step, "POST", "/v1/referrals", body)
    else:
        async with play.exchange.publisher(step.who) as publisher:
            await publisher.submit_many([body])


async def _amend(play: OnKafka, step: Step, content: dict[str, Any]) -> None:
    await play.ask(step, "PATCH", play._path(step.referral), content)


async def _cancel(play: OnKafka, step: Step, content: dict[str, Any]) -> None:
    if step.door == "http":
        await play.ask(step, "POST", f"{play._path(step.referral)}/cancel", content)
    else:
        async with play.exchange.publisher(step.who) as publisher:
            own = play.story.sender_referral_id(step.referral)
            await publisher.cancel(own, content["reason"], content.get("note", ""))


async def _respond(play: OnKafka, step: Step, content: dict[str, Any]) -> None:
    if "hop" in content:
        referral = play.story.referral(step.referral)
        content = content | {"hop": str(ids.hop_id(referral, int(content["hop"])))}
    await play.ask(step, "POST", f"{play._path(step.referral)}/responses", content)


async def _assign(play: OnKafka, step: Step, content: dict[str, Any]) -> None:
    body = content | {"service": play.story.service(content["service"])}
    await play.ask(step, "POST", f"{play._path(step.referral)}/assign", body)


async def _wait(play: OnKafka, step: Step, content: dict[str, Any]) -> None:
    moved = "update deadline set due_at = now() - interval '1 second' where referral_id = $1 and kind = $2"
    async with play.exchange.database() as database:
        await database.execute(moved, play.story.referral(step.referral), content["deadline"])


async def _cover(play: OnKafka, step: Step, content: dict[str, Any]) -> None:
    first, last = date.fromisoformat(content["from"]), content.get("to")
    async with play.exchange.publisher(step.who) as publisher:
        until_ = date.fromisoformat(last) if last else None
        await publisher.cover(play.story.own(content["member_id"]), first, until_, spell=content["spell"])


async def _capacity(play: OnKafka, step: Step, content: dict[str, Any]) -> None:
    await play.ask(step, "PUT", f"/v1/services/{play.story.service(step.who)}/capacity", content)


async def _authorize(play: OnKafka, step: Step, content: dict[str, Any]) -> None:
    await play.ask(step, "POST", f"{play._path(step.referral)}/authorization", content)


async def _consent(play: OnKafka, step: Step, content: dict[str, Any]) -> None:
    path = f"/v1/consents/{content['consent']}"
    body = {k: v for k, v in content.items() if k != "consent"} | {"person_id": play.story.person_id}
    revoking = step.does == "revoke"
    await play.ask(step, "POST" if revoking else "PUT", path + ("/revoke" if revoking else ""), body)


SAID: dict[str, Callable[[OnKafka, Step, dict[str, Any]], Awaitable[None]]] = {
    "submit": _submit,
    "amend": _amend,
    "cancel": _cancel,
    "respond": _respond,
    "assign": _assign,
    "wait": _wait,
    "consent": _consent,
    "revoke": _consent,
    "cover": _cover,
    "authorize": _authorize,
    "capacity": _capacity,
}
