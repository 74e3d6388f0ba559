"""The oracle on a real Postgres: clean books are green, and each planted violation turns exactly its rule red."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from cli import ledger as oracle
from cli import ledger_checks as checks
from cli.common import Exchange
from infra.kafka import KafkaLogin
from infra.settings import Settings
from producers.ledger import Ledger
from tests.support.api import Api
from tests.support.story import tell

pytestmark = pytest.mark.real
CLINIC, DOOR = "clinic-a", "intake.api"


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """An exchange where most things have happened."""
    async with Api(tmp_path_factory.mktemp("ledger")) as api:
        await tell(api)
        yield api


@pytest.fixture
async def book(api: Api, tmp_path: Path) -> Path:
    """A ledger of everything the clinic sent, as a load generator would have kept it."""
    path = tmp_path / "sent.jsonl"
    async with api.owner() as owner, Ledger(path) as ledger:
        rows = await owner.fetch(
            'select event_id, stream_id, partition, "offset" from inbox where tenant = $1 and topic = $2',
            CLINIC,
            DOOR,
        )
        for row in rows:
            seq = await ledger.intend(CLINIC, DOOR, row["stream_id"])
            await ledger.acked(seq, row["event_id"], row["partition"], row["offset"])
        began = await owner.fetchval("select min(at) from inbox")
    text = path.read_text().splitlines()
    head = f'{{"ledger":1,"began":"{began.isoformat()}"}}'
    path.write_text("\n".join([head, *text[1:]]) + "\n")
    return path


async def rules(api: Api, path: Path | None, replay: bool = True) -> oracle.Rules:
    where = Exchange(Settings(), api.url, KafkaLogin(bootstrap=""), "")
    found = await oracle.evaluate(where, [path] if path else [], replay)
    assert list(found) == [f"L{n}" for n in range(1, 9)]
    return found


def red(found: oracle.Rules) -> list[str]:
    return [name for name, rule in found.items() if rule is not None and rule.violations]


async def test_clean_books_are_green(api: Api, book: Path) -> None:
    found = await rules(api, book)
    assert red(found) == [], found
    looked = {name: rule.checked for name, rule in found.items() if rule is not None}
    assert set(looked) == {"L1", "L2", "L3", "L4", "L5", "L6", "L7"}
    assert all(looked.values()), "a rule that looks at nothing cannot fail"
    async with api.owner() as owner:
        left = await owner.fetchval("select to_regnamespace($1)", oracle.SCHEMA)
    assert left is None, "what was made to compare is gone"


async def test_without_a_ledger_what_needs_one_is_null(api: Api) -> None:
    found = await rules(api, None, replay=False)
    assert [name for name, rule in found.items() if rule is None] == ["L1", "L3", "L5", "L8"]


async def planted(api: Api, sql: str, *values: object) -> str:
    async with api.owner() as owner:
        return str(await owner.execute(sql, *values))


async def applied(owner: asyncpg.Connection) -> UUID:
    """An event of the clinic that made facts."""
    found: UUID = await owner.fetchval(
        "select event_id from inbox where tenant = $1 and outcome = 'applied' order by event_id limit 1",
        CLINIC,
    )
    return found


OUTCOME = "update inbox set outcome = $2 where event_id = $1"
STRAY = (
    'insert into inbox (tenant, event_id, payload_sha256, topic, partition, "offset", outcome, at)'
    " values ('clinic-a', $1, '', 'intake.api', 7, 1, 'no-effect', now())"
)
TOPIC = "update inbox set topic = $2 where event_id = $1"
STATUS = "update history set status = $1 where type = 'referral-received' and lane_seq = $2 and lane = $3"


async def test_l1_an_acknowledged_event_that_is_nowhere(api: Api, book: Path) -> None:
    async with Ledger(book) as ledger:
        seq = await ledger.intend(CLINIC, DOOR, uuid4())
        await ledger.acked(seq, uuid4(), 7, 4)
    await planted(api, "insert into progress values ($1, 7, 5, 'c', 't')", DOOR)
    found = await rules(api, book)
    await planted(api, "delete from progress where topic = $1 and partition = 7", DOOR)
    assert red(found) == ["L1"]


async def test_what_is_in_flight_is_not_lost(api: Api, book: Path) -> None:
    before = await rules(api, book, replay=False)
    async with Ledger(book) as ledger:
        ahead = await ledger.intend(CLINIC, DOOR, uuid4())
        await ledger.acked(ahead, uuid4(), 0, 1_000_000)
        somewhere = await ledger.intend(CLINIC, DOOR, uuid4())
        await ledger.acked(somewhere)
        unanswered = await ledger.intend(CLINIC, DOOR, uuid4())
        await ledger.unknown(unanswered)
    after = await rules(api, book, replay=False)
    assert red(after) == []
    assert after["L1"] == before["L1"], "what is in flight is not counted as checked either"


async def test_an_acknowledgement_without_a_place_is_lost_once_its_topic_is_drained(
    api: Api, book: Path
) -> None:
    async with Ledger(book) as ledger:
        await ledger.acked(await ledger.intend(CLINIC, DOOR, uuid4()))
    async with api.owner() as owner:
        await checks.load_results(owner, [book])
        await checks.load_intents(owner, [book])
        rule = await checks.lost(owner, {(DOOR, 0): 1})
        behind = await checks.lost(owner, {(DOOR, 0): 1_000_000})
    assert (rule.violations, behind.violations) == (1, 0)


async def test_l2_an_outcome_that_its_facts_deny(api: Api, book: Path) -> None:
    async with api.owner() as owner:
        event = await applied(owner)
    await planted(api, OUTCOME, event, "no-effect")
    found = await rules(api, book)
    await planted(api, OUTCOME, event, "applied")
    assert red(found) == ["L2"]
    assert found["L2"] is not None and found["L2"].examples == [str(event)]


async def test_l3_an_event_nobody_sent(api: Api, book: Path) -> None:
    event = uuid4()
    await planted(api, STRAY, event)
    found = await rules(api, book)
    await planted(api, "delete from inbox where event_id = $1", event)
    assert red(found) == ["L3"]


async def test_l4_a_step_that_is_not_legal(api: Api, book: Path) -> None:
    async with api.owner() as owner:
        row = await owner.fetchrow(
            "select lane, lane_seq from history where type = 'referral-received' limit 1"
        )
    assert row is not None
    await planted(api, STATUS, "cancelled", row["lane_seq"], row["lane"])
    found = await rules(api, book)
    await planted(api, STATUS, "received", row["lane_seq"], row["lane"])
    assert red(found) == ["L4", "L6"], "whoever changes a fact breaks its seal too"


async def test_l4_sees_a_lane_that_lost_a_fact(api: Api) -> None:
    async with api.owner() as owner:
        async with owner.transaction():
            await owner.execute("update lane set seq = seq + 1 where lane = 3")
            assert (await checks.legal(owner)).examples[-1] == "lane 3"
            await owner.execute("update lane set seq = seq - 1 where lane = 3")
        assert (await checks.legal(owner)).violations == 0


async def test_l5_a_changed_projection(api: Api, book: Path) -> None:
    change = "update referral set domain = domain || $1 where id = (select min(id::text)::uuid from referral)"
    back = "update referral set domain = trim(trailing $1 from domain)"
    await planted(api, change, "~")
    found = await rules(api, book)
    await planted(api, back, "~")
    assert red(found) == ["L5"]
    assert found["L5"] is not None and found["L5"].examples[0].endswith("domain")


async def test_l6_a_fact_that_no_record_seals(api: Api, book: Path) -> None:
    async with api.owner() as owner:
        lane = await owner.fetchval("select min(lane) from lane where seq > 0")
    await planted(api, "update lane set audited_from = -1 where lane = $1", lane)
    found = await rules(api, book)
    await planted(api, "update lane set audited_from = 0 where lane = $1", lane)
    assert red(found) == ["L6"]


async def test_l7_a_row_of_another_than_its_channel(api: Api, book: Path) -> None:
    async with api.owner() as owner:
        event = await applied(owner)
    await planted(api, TOPIC, event, "intake.clinic-b")
    found = await rules(api, None)
    await planted(api, TOPIC, event, DOOR)
    assert red(found) == ["L7"]
    assert red(await rules(api, book)) == [], "everything planted was taken back"


async def test_l8_an_offset_committed_before_its_batch(api: Api) -> None:
    async with api.owner() as owner:
        done = await owner.fetchval("select next_offset from progress where topic = $1", DOOR)
        assert (await checks.ahead(owner, {(DOOR, 0): done})).violations == 0
        rule = await checks.ahead(owner, {(DOOR, 0): done + 1, ("intake.clinic-b", 3): 1})
    assert (rule.checked, rule.violations) == (2, 2)
    assert rule.examples == [f"{DOOR}/0", "intake.clinic-b/3"]
