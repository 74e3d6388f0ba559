"""One record in a hundred, or in ten, is poison: every good one is delivered. All of them: it stops, drops none."""

import random
from collections import Counter

import pytest

from avro_schemas import codec
from referrals import ids
from stream_processors.decode import Raw
from stream_processors.exchange import Exchange
from stream_processors.poison import Limits, PoisonGuard
from stream_processors.runs import runs
from tests.integration.test_parking import CLINIC, MENDED, NOW, PLACE, TOPIC, Bench, submit
from tests.integration.test_parking import bench as bench
from tests.support.vault import vault

pytestmark = pytest.mark.real
RECORDS, AT_ONCE = 1000, 250


def poisons(name: str) -> dict[str, bytes | None]:
    """Reason -> the value of a record that is wrong in that way."""
    good = submit(name).value
    fields = {
        "event_id": str(ids.event_id(CLINIC, "poison", name)),
        "occurred_at": 1,
        "organization": "clinic-b",
        "referral_id": str(ids.referral_id(CLINIC, name)),
        "sender_referral_id": name,
        "sealed": b"",
    }
    return {
        "undecodable": good[: len(good) // 2],
        "unknown-schema": b"\x00\x00\x00\x27\x0f" + good[5:],
        "too-large": good + b"x" * 1_100_000,
        "tenant-mismatch": codec.encode("referral_submitted.v1", fields),
        "invalid": codec.encode("referral_submitted.v1", fields | {"organization": CLINIC}),
    }


async def deliver(bench: Bench, log: list[Raw]) -> bool:
    """As the inbox does it: read, admitted by the guard, written; whether it got to the end."""
    exchange, guard = Exchange(bench.pool, vault()), PoisonGuard(Limits())
    for start in range(0, len(log), AT_ONCE):
        read = runs(exchange.read(raw) for raw in log[start : start + AT_ONCE])
        kept, stops = guard.admit(read)
        applied = await exchange.write(kept)
        assert applied.parked == 0
        if stops:
            return False
    return True


@pytest.mark.parametrize("share", [0.01, 0.1])
async def test_every_good_record_is_delivered_and_every_bad_one_has_its_reason(
    bench: Bench, share: float
) -> None:
    chance = random.Random(f"poison {share}")
    await bench.owner.execute(MENDED)
    log, bad, good = list[Raw](), Counter[str](), 0
    for offset in range(RECORDS):
        record, name = submit(f"SHARE-{offset}"), f"POISON-{offset}"
        value: bytes | None = record.value
        if chance.random() < share:
            reason, value = chance.choice(list(poisons(name).items()))
            bad[reason] += 1
        else:
            good += 1
        log.append(Raw(TOPIC, 0, offset, record.key, value, NOW))
    assert await deliver(bench, log), "it never stopped"
    assert await bench.rows_of("referral") == good
    letters = await bench.owner.fetch("select reason, value from dead_letter")
    assert Counter(r["reason"] for r in letters) == bad
    assert {r["value"] for r in letters} <= {raw.value for raw in log}, "kept whole"
    moved = await bench.owner.fetchval("select next_offset from progress where topic = $1", TOPIC)
    assert moved == RECORDS


async def test_all_poison_stops_at_the_limit_and_nothing_is_dropped(bench: Bench) -> None:
    log = [Raw(TOPIC, 0, n, b"k", b"nonsense", NOW) for n in range(RECORDS)]
    assert not await deliver(bench, log)
    assert await bench.rows_of("dead_letter") == Limits().in_row
    moved = await bench.owner.fetchval("select next_offset from progress where topic = $1", PLACE[0])
    assert moved == Limits().in_row, "the rest is still in the log"
