"""TLS to a real broker and Postgres: the right authority gets in; another one, another name or no TLS does not."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from msgspec import structs

from infra import topics
from infra.embedded.kafka import EmbeddedKafka
from infra.embedded.postgres import EmbeddedPostgres
from infra.kafka import KafkaLogin
from infra.postgres import connect
from infra.reachable import OK, Broker
from infra.settings import settings
from tests.support.certificates import Certificates, certificates
from tests.support.child import answers, running

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
async def broker(made: Certificates, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KafkaLogin]:
    """An embedded broker whose clients must come with TLS."""
    folder = tmp_path_factory.mktemp("broker")
    kafka = EmbeddedKafka(folder / "kafka", settings().cache_path, lambda _: None)
    child = await kafka.prepare()
    properties = folder / "kafka" / "server.properties"
    text = properties.read_text().replace("CLIENT:SASL_PLAINTEXT", "CLIENT:SASL_SSL")
    properties.write_text(
        f"{text}\nssl.keystore.type=PEM\nssl.keystore.location={made.both}\n"
        f"ssl.truststore.type=PEM\nssl.truststore.location={made.authority}\n"
    )
    login = KafkaLogin(
        bootstrap=kafka.bootstrap,
        security_protocol="SASL_SSL",
        username=kafka.admin_username,
        password=kafka.admin_password,
        ca_file=str(made.authority),
    )
    with running(child, folder / "broker.log"):
        async with asyncio.timeout(90):
            while await answer(login) != OK:
                await asyncio.sleep(0.3)
        yield login


async def answer(login: KafkaLogin) -> str:
    """What a part's readiness says of that broker."""
    broker = Broker(login)
    try:
        return await broker.answers()
    finally:
        await broker.close()


async def test_every_client_reaches_a_broker_by_tls(broker: KafkaLogin) -> None:
    assert await answer(broker) == OK
    made = await topics.apply(broker, 8)
    assert made, "the administrator's client too"


@pytest.mark.parametrize("change", ["another authority", "the system's authorities", "no tls"])
async def test_a_broker_that_is_not_who_it_should_be_is_not_spoken_to(
    broker: KafkaLogin, tmp_path: Path, change: str
) -> None:
    other: Mapping[str, dict[str, str | None]] = {
        "another authority": {"ca_file": str(certificates(tmp_path / "other").authority)},
        "the system's authorities": {"ca_file": None},
        "no tls": {"security_protocol": "SASL_PLAINTEXT", "ca_file": None},
    }
    assert await answer(structs.replace(broker, **other[change])) != OK


async def test_a_broker_without_tls_is_refused_by_who_asks_for_it(made: Certificates) -> None:
    said: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.read(64))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        login = KafkaLogin(
            bootstrap=f"127.0.0.1:{port}",
            security_protocol="SASL_SSL",
            username="x",
            password="not-told-in-the-clear",
            ca_file=str(made.authority),
        )
        assert await answer(login) != OK
    assert said and all(first[:1] == b"\x16" for first in said if first), "a TLS hello and nothing else"


@pytest.fixture(scope="module")
async def database(made: Certificates, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of an embedded Postgres with a certificate."""
    folder = tmp_path_factory.mktemp("database")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o711)
    postgres = EmbeddedPostgres(folder / "postgres", lambda _: None)
    child = await postgres.prepare()
    own = certificates(folder / "own")
    for path in own:
        os.chown(path, child.uid if child.uid is not None else -1, child.gid if child.gid is not None else -1)
    own.authority.parent.chmod(0o711)
    flags = ["ssl=on", f"ssl_cert_file={own.chain}", f"ssl_key_file={own.key}"]
    more = [part for flag in flags for part in ("-c", flag)]
    with running(child, folder / "postgres.log", more):
        await answers(child)
        await postgres.provision()
        yield f"{postgres.url}?sslrootcert={own.authority}"


async def test_postgres_is_reached_by_tls_when_the_address_says_so(database: str) -> None:
    connection = await connect(f"{database}&sslmode=verify-full", "tls")
    try:
        assert await connection.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    finally:
        await connection.close()


async def test_a_postgres_of_another_authority_or_without_tls_is_refused(
    database: str, made: Certificates, tmp_path: Path
) -> None:
    other = f"{database.partition('?')[0]}?sslmode=verify-full&sslrootcert={made.authority}"
    with pytest.raises(OSError, match="certificate verify failed"):
        await connect(other, "tls")
    plain = EmbeddedPostgres(tmp_path / "postgres", lambda _: None)
    for each in (tmp_path, *tmp_path.parents[:2]):
        each.chmod(0o711)
    child = await plain.prepare()
    with running(child, tmp_path / "postgres.log"):
        await answers(child)
        await plain.provision()
        with pytest.raises(ConnectionError, match="SSL"):
            await connect(f"{plain.url}?sslmode=require", "tls")
