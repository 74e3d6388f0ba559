"""The commands of an operator on a running exchange: tokens, doctor, topics, imports, simulation, dead letters."""

import json
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from producers import demo_directory
from producers.envelope import Record
from producers.producer import RecordProducer
from referrals import ids
from tests.support.command import refex
from tests.support.referrals import body
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
EXAMPLE = "producers/examples/referral.json"


async def test_a_token_opens_the_api(exchange: RunningExchange) -> None:
    token = (await refex(exchange, "token", "--as", "harvest-food-bank")).stdout.strip()
    async with httpx.AsyncClient(base_url=exchange.url, trust_env=False) as http:
        me = await http.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["organization"]["id"] == "harvest-food-bank"
    unknown = await refex(exchange, "token", "--as", "nobody-here")
    assert unknown.code == 2 and "riverside-clinic" in unknown.stderr


async def test_a_client_that_signs_gets_its_token_with_the_key_it_made(
    exchange: RunningExchange, tmp_path: Path
) -> None:
    key = tmp_path / "key.json"
    made = await refex(exchange, "participant", "keys", "lakeview-health", "--generate", str(key), "--json")
    client = json.loads(made.stdout)["client_id"]
    assert key.stat().st_mode & 0o077 == 0 and '"d"' not in made.stdout
    proof = ("--client-id", client, "--private-key-file", str(key))
    ran = await refex(exchange, "token", *proof)
    async with httpx.AsyncClient(base_url=exchange.url, trust_env=False) as http:
        me = await http.get("/v1/me", headers={"Authorization": f"Bearer {ran.stdout.strip()}"})
    assert me.json()["organization"]["id"] == "lakeview-health"
    again = await refex(exchange, "participant", "keys", "lakeview-health", "--generate", str(key))
    assert again.code == 2 and "never overwritten" in again.stderr
    assert (await refex(exchange, "participant", "keys", "lakeview-health")).code == 0
    assert (await refex(exchange, "token", *proof)).code == 1


async def test_doctor_finds_everything_well(exchange: RunningExchange) -> None:
    async def well() -> bool:
        ran = await refex(exchange, "doctor", "--json")
        ill = [c for c in json.loads(ran.stdout)["checks"] if not c["ok"] and c["check"] != "dead letters"]
        assert not ill, ill
        return True

    await until(well, timeout_s=30, every_s=1)


async def test_topics_are_listed_with_their_offsets(exchange: RunningExchange) -> None:
    assert "nothing to do" in (await refex(exchange, "topics", "apply")).stdout
    listed = json.loads((await refex(exchange, "topics", "list", "--json")).stdout)["items"]
    assert {"intake.riverside-clinic", "feedback.riverside-clinic", "dead-letter"} <= {
        t["name"] for t in listed
    }
    assert all(len(t["end_offsets"]) == 8 for t in listed)


async def test_migrate_has_nothing_left_to_do(exchange: RunningExchange) -> None:
    assert json.loads((await refex(exchange, "migrate", "--json")).stdout) == {"ran": [], "sealed": 0}


async def test_publish_says_an_id_or_a_reason_for_each(exchange: RunningExchange, tmp_path: Path) -> None:
    good = json.loads(Path(EXAMPLE).read_text()) | {"sender_referral_id": f"CLI-{uuid4()}"}
    file = tmp_path / "two.jsonl"
    file.write_text(json.dumps(good) + "\n" + json.dumps(good | {"need": {"domain": "luck"}}) + "\n")
    ran = await refex(exchange, "publish", str(file), "--as", "riverside-clinic")
    lines = ran.stdout.splitlines()
    assert ran.code == 1 and len(lines) == 2
    assert lines[0] == str(ids.referral_id("riverside-clinic", good["sender_referral_id"]))
    assert "refused: /need/domain" in lines[1]


async def test_an_import_sends_what_changed_and_nothing_twice(
    exchange: RunningExchange, tmp_path: Path
) -> None:
    document = demo_directory.documents()[0]
    file = tmp_path / "directory.json"
    file.write_text(json.dumps([document]))
    same = await refex(exchange, "import-directory", str(file), "--json", "--strict")
    assert same.code == 0, same.stderr
    assert "0 of 1 services" in same.stderr
    report = json.loads(same.stdout)
    assert report["loaded"]["service"] == 1 and report["problems"] == []

    for description in ("Changed.", document["services"][0]["description"]):
        document["services"][0]["description"] = description
        file.write_text(json.dumps([document]))
        assert "1 of 1 services" in (await refex(exchange, "import-directory", str(file))).stderr

        async def in_force(wanted: str = description) -> bool:
            async with exchange.database() as connection:
                return bool(
                    await connection.fetchval(
                        "select exists (select from service where body ->> 'description' = $1)", wanted
                    )
                )

        await until(in_force)


async def test_a_dry_run_needs_no_exchange_and_strict_is_strict(
    exchange: RunningExchange, tmp_path: Path
) -> None:
    file = tmp_path / "bad.json"
    file.write_text('[{"name": "Nobody", "services": [{"name": "Nameless"}]}]')
    dry = await refex(exchange, "import-directory", str(file), "--dry-run", "--json")
    assert dry.code == 0 and json.loads(dry.stdout)["problems"]
    assert (await refex(exchange, "import-directory", str(file), "--dry-run", "--strict")).code == 1


async def test_simulated_referrals_arrive(exchange: RunningExchange) -> None:
    seed = uuid4().int % 1_000_000
    ran = await refex(exchange, "simulate", "--referrals", "8", "--seed", str(seed), "--json")
    assert ran.code == 0 and json.loads(ran.stdout)["referrals"] == 8, ran.stderr

    async def arrived() -> bool:
        async with exchange.database() as connection:
            count = await connection.fetchval(
                "select count(*) from referral where sender_referral_id like $1", f"SIM-{seed}-%"
            )
        return bool(count == 8)

    await until(arrived)


async def test_a_dead_letter_is_shown_and_replayed_once(exchange: RunningExchange) -> None:
    event = uuid4()
    record = Record(
        "intake.riverside-clinic", str(event).encode(), ids.lane(event), b"\x00\x00\x00\x00\x01?", event
    )
    async with RecordProducer(exchange.kafka_login("riverside-clinic")) as producer:
        placed = (await producer.send([record]))[0]
    letter = str(ids.origin_id(placed.topic, placed.partition, placed.offset))

    async def listed() -> bool:
        found = json.loads((await refex(exchange, "dead-letters", "list", "--json")).stdout)["items"]
        return letter in [row["id"] for row in found]

    await until(listed, every_s=0.5)
    shown = json.loads((await refex(exchange, "dead-letters", "show", letter, "--json")).stdout)
    assert shown["reason"] == "undecodable" and shown["next"] and "value" not in shown
    first = json.loads((await refex(exchange, "dead-letters", "replay", letter, "--json")).stdout)
    again = json.loads((await refex(exchange, "dead-letters", "replay", letter, "--json")).stdout)
    assert first == {"replayed": [letter], "left": []}
    assert again == {"replayed": [], "left": [letter]}


async def test_a_person_is_erased_by_a_command_once_nobody_is_at_work_for_them(
    exchange: RunningExchange,
) -> None:
    clinic, own = "riverside-clinic", uuid4().hex
    sent = body(own, person=body()["person"] | {"person_id": own, "family_name": "Erase-Test"}, coverage=None)
    erase = ("person", "erase", clinic, own, "--reason", "asked for it")
    unknown = await refex(exchange, *erase)
    assert unknown.code == 1 and "nothing of this person" in unknown.stderr
    async with exchange.publisher(clinic) as publisher, exchange.http(clinic) as http:
        path = f"/v1/referrals/{(await publisher.submit(sent)).id}"

        async def recorded() -> bool:
            return (await http.get(path)).status_code == 200

        await until(recorded)
        assert (await http.get(path)).json()["person"]["family_name"] == "Erase-Test"
        helped = await refex(exchange, *erase)
        assert helped.code == 1 and "close or cancel them first" in helped.stderr
        await publisher.cancel(own, "client-withdrew")

        async def closed() -> bool:
            return bool((await http.get(path)).json()["status"] == "cancelled")

        await until(closed)
        done = json.loads((await refex(exchange, *erase, "--json")).stdout)
        assert (done["outcome"], done["linked"]) == ("applied", [])
        seen = await http.get(path)
    assert "person-erased" in seen.json()["flags"] and "Erase-Test" not in seen.text
    verified = await refex(exchange, "rebuild", "--verify", "--into", "after_erasing")
    assert verified.code == 0, verified.stderr
