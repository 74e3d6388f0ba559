"""Compose's own broker script on the embedded broker's jars: formats once, tells logins apart, keeps its data."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from infra.embedded.kafka import EmbeddedKafka
from infra.embedded.local import keep_or_pick_port
from infra.settings import settings
from tests.support.containers import ROOT, SERVICES

pytestmark = pytest.mark.real

SCRIPT = ROOT / "infra" / "compose" / SERVICES["kafka"]["entrypoint"][-1].rpartition("/")[2]
PASSWORD = "synthetic-admin-password"


@pytest.fixture
async def environment(tmp_path: Path) -> dict[str, str]:
    """The script's settings; its KAFKA_HOME runs the embedded broker's jars as the image runs its own."""
    child = await EmbeddedKafka(tmp_path / "embedded", settings().cache_path, lambda _: None).prepare()
    java = " ".join(f'"{part}"' for part in child.argv()[:-2])
    programs = tmp_path / "kafka" / "bin"
    programs.mkdir(parents=True)
    for name, main in (
        ("kafka-storage.sh", "kafka.tools.StorageTool"),
        ("kafka-server-start.sh", "kafka.Kafka"),
    ):
        line = f'exec env CLASSPATH="{child.environment["CLASSPATH"]}" {java} {main} "$@"'
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "admin_password").write_text(PASSWORD)
    (tmp_path / "secrets" / "controller_password").write_text("synthetic-controller-password")
    inside, outside, controller = (f"127.0.0.1:{keep_or_pick_port(None)}" for _ in range(3))
    return {
        "PATH": os.environ["PATH"],
        "SECRETS": str(tmp_path / "secrets"),
        "KAFKA_HOME": str(programs.parent),
        "DATA": str(tmp_path / "data"),
        "INSIDE": inside,
        "OUTSIDE": outside,
        "CONTROLLER": controller,
        "LISTEN": "127.0.0.1",
        "ADMIN_PROPERTIES": str(tmp_path / "admin.properties"),
    }


@asynccontextmanager
async def broker(environment: dict[str, str], log: Path) -> AsyncIterator[None]:
    """The script's process, stopped in the end as a container is."""
    with log.open("ab") as out:
        process = subprocess.Popen(["bash", str(SCRIPT)], env=environment, stdout=out, stderr=out)
    try:
        async with asyncio.timeout(90):
            while not await answers(environment["INSIDE"]):
                assert process.poll() is None, log.read_text()[-2000:]
                await asyncio.sleep(0.3)
        yield
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 60)


def client(bootstrap: str, password: str = PASSWORD) -> AIOKafkaAdminClient:
    return AIOKafkaAdminClient(
        bootstrap_servers=bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_plain_username="admin",
        sasl_plain_password=password,
    )


async def answers(bootstrap: str, password: str = PASSWORD) -> bool:
    return await topics(bootstrap, password) is not None


async def topics(bootstrap: str, password: str = PASSWORD, create: str = "") -> list[str] | None:
    """The topics there, after creating one; None when the broker does not let us in."""
    admin = client(bootstrap, password)
    try:
        await admin.start()
        if create:
            await admin.create_topics([NewTopic(create, 1, 1)])
        found: list[Any] = await admin.list_topics()
        return [str(name) for name in found]
    except KafkaError:
        return None
    finally:
        await admin.close()


async def test_compose_s_own_broker(environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "broker.log"
    async with broker(environment, log):
        assert await topics(environment["INSIDE"]) == []
        assert await topics(environment["OUTSIDE"], create="kept") == ["kept"]
        assert not await answers(environment["INSIDE"], "wrong")
    async with broker(environment, log):
        assert await topics(environment["OUTSIDE"]) == ["kept"], "started again: not formatted again"
    assert Path(environment["ADMIN_PROPERTIES"]).stat().st_mode & 0o077 == 0
    assert PASSWORD not in log.read_text()
