"""The embedded exchange's Kafka and Postgres: killed, restarted, open to nobody without a login, shared by nobody."""

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from infra.embedded.errors import DataDirInUseError
from infra.embedded.kafka import EmbeddedKafka
from infra.embedded.processes import identify
from infra.embedded.services import EmbeddedServices

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
async def services(cache_dir: Path) -> AsyncIterator[EmbeddedServices]:
    with tempfile.TemporaryDirectory(prefix="refex-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        async with EmbeddedServices(Path(folder) / "data", cache_dir) as services:
            yield services


def login(kafka: EmbeddedKafka, password: str | None = None) -> dict[str, Any]:
    return {
        "bootstrap_servers": kafka.bootstrap,
        "security_protocol": kafka.security_protocol,
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.admin_username,
        "sasl_plain_password": password or kafka.admin_password,
    }


async def create_topic(kafka: EmbeddedKafka, name: str) -> None:
    admin = AIOKafkaAdminClient(**login(kafka))
    try:
        await admin.start()
        await admin.create_topics([NewTopic(name, 1, 1)])
    finally:
        await admin.close()


async def write(kafka: EmbeddedKafka, topic: str, value: bytes) -> Any:
    producer = AIOKafkaProducer(**login(kafka), acks="all", enable_idempotence=True)
    await producer.start()
    try:
        return await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def read(kafka: EmbeddedKafka, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(**login(kafka), auto_offset_reset="earliest")
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]
    finally:
        await consumer.stop()


async def back(services: EmbeddedServices, name: str, old_pid: int, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while services.pids[name] == old_pid or not services.children[name].answers.is_set():
            assert services.pids[name] is not None
            await asyncio.sleep(0.05)


async def test_a_killed_broker_comes_back_with_its_port_and_data(services: EmbeddedServices) -> None:
    kafka, told = services.kafka, list[tuple[str, int]]()
    services.on_change = lambda name, pid: told.append((name, pid))
    await create_topic(kafka, "kept")
    assert (await write(kafka, "kept", b"before")).timestamp_type == 1  # LogAppendTime
    bootstrap, old = kafka.bootstrap, services.pids["kafka"]
    assert b"kafka.Kafka" in Path(f"/proc/{old}/cmdline").read_bytes()
    os.kill(old, signal.SIGKILL)
    await back(services, "kafka", old, 60)
    assert kafka.bootstrap == bootstrap
    await write(kafka, "kept", b"after")
    assert await read(kafka, "kept") == [b"before", b"after"]
    assert told == [("kafka", services.pids["kafka"])]


async def test_a_killed_postgres_comes_back_with_what_was_committed(services: EmbeddedServices) -> None:
    url, old = services.postgres.url, services.pids["postgres"]
    connection = await asyncpg.connect(url)
    await connection.execute("create table kept (id int); insert into kept values (1)")
    busy = await asyncpg.connect(url)  # its backend outlives the postmaster, holding the shared memory
    work = asyncio.create_task(busy.execute("do $$ begin loop end loop; end $$"))
    await asyncio.sleep(0.5)
    os.kill(old, signal.SIGKILL)
    await back(services, "postgres", old, 60)
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await work
    for each in (connection, busy):
        each.terminate()
    connection = await asyncpg.connect(url)
    try:
        assert await connection.fetchval("select id from kept") == 1
    finally:
        await connection.close()


async def test_nobody_gets_in_without_the_right_login(services: EmbeddedServices) -> None:
    admin = AIOKafkaAdminClient(**login(services.kafka, password="wrong"))
    with pytest.raises(KafkaError):
        await admin.start()
    await admin.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(services.postgres.database_url("postgres", "wrong"))


async def test_the_owner_is_no_superuser_but_may_make_roles(services: EmbeddedServices) -> None:
    connection = await asyncpg.connect(services.postgres.url)
    try:
        row = await connection.fetchrow(
            "select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = current_user"
        )
        assert tuple(row or ()) == (False, False, True)
        assert await connection.fetchval("show fsync") == "on"
        await connection.execute("create role made_by_owner; drop role made_by_owner")
    finally:
        await connection.close()


async def test_secrets_are_readable_by_their_owner_alone(services: EmbeddedServices) -> None:
    secret = [services.kafka.admin_password, services.postgres.state.owner_password]
    for path in services.data_dir.rglob("*"):
        if path.is_file() and path.suffix in (".json", ".properties", ".log", ".args"):
            known = any(word in path.read_text(errors="replace") for word in secret)
            assert not known or path.stat().st_mode & 0o077 == 0, path
    for pid in services.pids.values():
        line = Path(f"/proc/{pid}/cmdline").read_text()
        assert not any(word in line for word in secret)


async def test_a_second_exchange_on_the_same_data_is_refused(
    services: EmbeddedServices, cache_dir: Path
) -> None:
    with pytest.raises(DataDirInUseError, match=rf"pid {os.getpid()}; stop that one, or set REFEX_DATA_DIR"):
        async with EmbeddedServices(services.data_dir, cache_dir):
            pass
    assert all(identify(pid) for pid in services.pids.values())
    held = [str(each.readlink()) for each in Path(f"/proc/{services.guardian_pid}/fd").iterdir()]
    assert str(services.data_dir / "lock") in held  # refused, too, while children of a killed one still end


async def test_a_restart_finds_everything_as_it_was(data_dir: Path, cache_dir: Path) -> None:
    said: list[str] = []
    async with EmbeddedServices(data_dir, cache_dir, said.append) as first:
        await create_topic(first.kafka, "kept")
        await write(first.kafka, "kept", b"one")
        before = (first.kafka.bootstrap, first.kafka.admin_password, first.postgres.url)
        connection = await asyncpg.connect(first.postgres.url)
        await connection.execute("create table kept (id int); insert into kept values (1)")
        await connection.close()
    async with EmbeddedServices(data_dir, cache_dir, said.append) as second:
        assert (second.kafka.bootstrap, second.kafka.admin_password, second.postgres.url) == before
        assert await read(second.kafka, "kept") == [b"one"]
        connection = await asyncpg.connect(second.postgres.url)
        assert await connection.fetchval("select id from kept") == 1
        await connection.close()
    assert len([line for line in said if line.startswith("kafka: ready on")]) == 2


async def test_ports_taken_by_others_are_chosen_anew(data_dir: Path, cache_dir: Path) -> None:
    async with EmbeddedServices(data_dir, cache_dir) as first:
        await create_topic(first.kafka, "kept")
        await write(first.kafka, "kept", b"one")
        ports = [first.kafka.state.port, first.kafka.state.controller_port, first.postgres.state.port]
    others = [socket.create_server(("127.0.0.1", port)) for port in ports]
    try:
        async with EmbeddedServices(data_dir, cache_dir) as second:
            assert second.kafka.state.port not in ports
            assert second.postgres.state.port not in ports
            assert await read(second.kafka, "kept") == [b"one"]
    finally:
        for other in others:
            other.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run Postgres as somebody else")
async def test_root_runs_postgres_as_another_user_even_below_a_closed_home(
    tmp_path: Path, cache_dir: Path
) -> None:
    tmp_path.chmod(0o700)
    mode_before = tmp_path.stat().st_mode
    for _ in range(2):
        async with EmbeddedServices(tmp_path / "deep" / "data", cache_dir) as services:
            status = Path(f"/proc/{services.pids['postgres']}/status").read_text()
            assert "CapEff:\t0000000000000000" in status  # no privileges of root
            assert Path(f"/proc/{services.pids['postgres']}/comm").read_text().strip() == "postgres"
    assert tmp_path.stat().st_mode == mode_before
