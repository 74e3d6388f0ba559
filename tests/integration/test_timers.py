"""Deadlines are rows: silence past one moves the referral on, and an outage never expires an answered hop."""

import os
import signal
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tests.e2e.test_journey import routed, shown, submission
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
PLAN = "valley-care-plan"


async def sent(exchange: RunningExchange) -> UUID:
    async with exchange.publisher(PLAN) as publisher:
        return (await publisher.submit(submission(f"TIMER-{datetime.now(UTC):%H%M%S%f}"))).id


async def bring_forward(
    exchange: RunningExchange, referral: UUID, kind: str = "%", by: str = "1 second"
) -> None:
    """Time passes: the one thing a test must do to the database, as nobody waits three days."""
    async with exchange.database() as database:
        await database.execute(
            "update deadline set due_at = now() - $3::text::interval where referral_id = $1 and kind like $2",
            *(referral, kind, by),
        )


async def types(exchange: RunningExchange, referral: UUID) -> list[str]:
    async with exchange.database() as database:
        rows = await database.fetch(
            "select type from history where stream_id = $1 order by version", referral
        )
    return [r["type"] for r in rows]


async def respond(
    exchange: RunningExchange, referral: UUID, hop: dict[str, Any], action: str, **said: Any
) -> int:
    async with exchange.http(hop["organization"]) as http:
        answer = await http.post(f"/v1/referrals/{referral}/responses", json={"action": action, **said})
    return answer.status_code


async def test_silence_past_the_deadline_asks_the_next_organization(exchange: RunningExchange) -> None:
    referral = await sent(exchange)
    await routed(exchange, PLAN, referral)
    await bring_forward(exchange, referral)

    async def moved_on() -> bool:
        hops = (await shown(exchange, PLAN, referral))["hops"]
        return [h["status"] for h in hops] == ["expired", "requested"]

    await until(moved_on)


async def test_an_answer_already_in_kafka_is_applied_before_the_hop_may_expire(
    exchange: RunningExchange,
) -> None:
    referral = await sent(exchange)
    hop = (await routed(exchange, PLAN, referral))["hops"][0]
    workers = exchange.pids["workers"]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with exchange.http(hop["organization"]) as http:
            answer = await http.post(f"/v1/referrals/{referral}/responses", json={"action": "accept"})
        assert answer.status_code == 202, "taken, not yet decided: the workers sleep"
        await bring_forward(exchange, referral)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)

    async def accepted() -> bool:
        return bool((await shown(exchange, PLAN, referral))["status"] == "accepted")

    await until(accepted)
    assert "hop-expired" not in await types(exchange, referral)


async def test_after_an_hour_without_workers_nothing_whose_answer_waits_in_kafka_is_late(
    exchange: RunningExchange,
) -> None:
    """Answers of three kinds wait while the workers are dead and their deadlines pass by an hour; then they live."""
    waiting = [await sent(exchange) for _ in range(3)]
    hops = [(await routed(exchange, PLAN, r))["hops"][0] for r in waiting]
    for referral, hop in zip(waiting[1:], hops[1:], strict=True):
        assert await respond(exchange, referral, hop, "accept") == 200
    workers = list(exchange.pids["workers"])
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    answers = (("accept", "first-response"), ("contact", "first-contact"), ("start", "service-start"))
    for referral, hop, (action, _) in zip(waiting, hops, answers, strict=True):
        more = {"method": "phone", "reached": True} if action == "contact" else {}
        assert await respond(exchange, referral, hop, action, **more) == 202, "taken, not yet decided"
    for referral, (_, kind) in zip(waiting, answers, strict=True):
        await bring_forward(exchange, referral, f"{kind}%", by="1 hour")
    for pid in workers:
        os.kill(pid, signal.SIGKILL)

    async def recorded() -> bool:
        found = [await types(exchange, r) for r in waiting]
        done = ("hop-accepted", "contact-made", "hop-started")
        return all(kind in facts for kind, facts in zip(done, found, strict=True))

    await until(recorded, timeout_s=90)

    async def nothing_waits() -> bool:
        async with exchange.database() as database:
            due = "select count(*) from deadline where referral_id = any ($1::uuid[]) and due_at <= now()"
            return not await database.fetchval(due, waiting)

    await until(nothing_waits, timeout_s=60)
    for referral in waiting:
        assert not {"hop-expired", "deadline-missed", "reminder-due"} & set(await types(exchange, referral))


async def test_a_cancel_already_in_kafka_is_applied_before_anybody_else_is_asked(
    exchange: RunningExchange,
) -> None:
    """Both doors: the sender's own topic and HTTP; the request had come due an hour before the workers live again."""
    referrals = [await sent(exchange) for _ in range(2)]
    for referral in referrals:
        await routed(exchange, PLAN, referral)
    workers = list(exchange.pids["workers"])
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    for referral in referrals:
        await bring_forward(exchange, referral, "first-response%", by="1 hour")
    name = (await shown(exchange, PLAN, referrals[0]))["sender_referral_id"]
    async with exchange.publisher(PLAN) as publisher:
        await publisher.cancel(name, "client-withdrew")
    async with exchange.http(PLAN) as http:
        said = {"reason": "client-withdrew"}
        assert (await http.post(f"/v1/referrals/{referrals[1]}/cancel", json=said)).status_code == 202
    for pid in workers:
        os.kill(pid, signal.SIGKILL)

    async def cancelled() -> bool:
        return all([(await shown(exchange, PLAN, r))["status"] == "cancelled" for r in referrals])

    await until(cancelled, timeout_s=90)
    for referral in referrals:
        facts = await types(exchange, referral)
        assert "hop-expired" not in facts and facts.count("hop-requested") == 1


async def test_at_the_review_date_of_a_hold_the_organization_and_the_hub_are_reminded_once(
    exchange: RunningExchange,
) -> None:
    referral = await sent(exchange)
    hop = (await routed(exchange, PLAN, referral))["hops"][0]
    assert await respond(exchange, referral, hop, "accept") == 200
    held = {"reason": "waitlist", "review_date": "2027-03-01"}
    assert await respond(exchange, referral, hop, "hold", **held) == 200
    action = (await shown(exchange, hop["organization"], referral))["next_action"]
    assert action == {"who": hop["organization"], "what": "resume", "due_at": "2027-03-01T16:00:00Z"}
    await bring_forward(exchange, referral, "hold-review")

    async def reminded() -> bool:
        return "reminder-due" in await types(exchange, referral)

    await until(reminded)
    for who in (hop["organization"], "county-hub"):
        async with exchange.http(who) as http:
            events = (await http.get(f"/v1/referrals/{referral}/events")).json()["items"]
        [event] = [e for e in events if e["type"] == "reminder-due"]
        assert event["data"]["kind"] == "hold-review" and event["actor"]["channel"] in ("timer", "exchange")
    async with exchange.database() as database:
        kinds = await database.fetch("select kind from deadline where referral_id = $1", referral)
    assert "hold-review" not in {r["kind"] for r in kinds}, "once"


async def test_a_deadline_that_has_moved_is_put_right_and_not_fired(exchange: RunningExchange) -> None:
    """A row of an older generation, as after an upgrade that moved a holiday: due, but not what holds now."""
    referral = await sent(exchange)
    await routed(exchange, PLAN, referral)
    async with exchange.database() as database:
        right = (
            "select generation, due_at, sent_at from deadline where referral_id = $1 and kind = 'acceptance'"
        )
        before = await database.fetchrow(right, referral)
        stale = (
            "update deadline set generation = generation - 86400, due_at = now() - interval '1 second'"
            " where referral_id = $1 and kind = 'acceptance'"
        )
        await database.execute(stale, referral)

        async def put_right() -> bool:
            return bool(await database.fetchrow(right, referral) == before)

        await until(put_right)
    assert "deadline-missed" not in await types(exchange, referral)
