"""The Faust application and the explicit list of what runs in it.

`faust -A stream_processors.app worker`, behind `refex worker`. Role `exchange`: the batch consumer, four relays, the
timers and the linker, as services of the app; killing the app stops consumption. Role `notify`: deliveries, woken by
an agent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import faust
from aiokafka.helpers import create_ssl_context
from faust.types.auth import AuthProtocol
from mode import Service

from avro_schemas import registry, topics
from infra import crash_points, heap, kafka, logs
from infra.places import places
from infra.postgres import pool
from infra.settings import Settings, settings
from infra.vault.vault import vault_of
from stream_processors import health, leaving
from stream_processors.careful import Careful
from stream_processors.checkpoints import Checkpoints
from stream_processors.coverage import CoverageTeller
from stream_processors.exchange import Exchange
from stream_processors.inbox import Inbox
from stream_processors.intake_keys import IntakeKeys
from stream_processors.linker import Linker
from stream_processors.notify import Notifier
from stream_processors.persons import match_secret
from stream_processors.poison import Limits
from stream_processors.relay import GROUPS, Relay
from stream_processors.release import Releaser
from stream_processors.timers import Timers
from stream_processors.watch import Watch


def build(config: Settings) -> faust.App:
    """The app of one role; nothing runs until the worker starts it."""
    crash_points.armed()
    login = kafka.login(config)
    datadir = config.data_path / "faust" / f"{config.worker_role}-{config.worker_slot}"
    datadir.mkdir(parents=True, exist_ok=True)
    registry.adopt(config.schema_registry_url)
    app = faust.App(
        f"refex-{config.worker_role}",
        broker=f"kafka://{login.bootstrap}",
        broker_credentials=credentials(login),
        value_serializer="raw",
        key_serializer="raw",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        stream_wait_empty=False,
        datadir=datadir,
        Worker=leaving.worker(login),
    )
    ROLES[config.worker_role](app, config, login)
    well = health.Health(_database(config), login)
    _serve(app, "Health", well.run)
    if config.metrics_port:
        health.serve(well, config.host, config.metrics_port)
    return app


def credentials(login: kafka.KafkaLogin) -> Any:
    """Faust's form of a login; None without SASL."""
    if not login.security_protocol.startswith("SASL"):
        return None
    tls = login.security_protocol.endswith("SSL")
    made = faust.SASLCredentials(
        username=login.username,
        password=login.password,
        mechanism=login.mechanism,
        ssl_context=create_ssl_context(cafile=login.ca_file) if tls else None,
    )
    made.protocol = AuthProtocol.SASL_SSL if tls else AuthProtocol.SASL_PLAINTEXT
    return made


def exchange(app: faust.App, config: Settings, login: kafka.KafkaLogin) -> None:
    """The high-rate path: no agent; the app's services own their consumers (architecture 11)."""
    app.producer_only = True
    url, secret, vault = _database(config), match_secret(config), vault_of(config)
    marks = config.data_path / "faust"

    async def consume() -> None:
        await asyncio.to_thread(places)
        heap.settle()
        async with await pool(url, "worker") as connections:
            limits = Limits(config.poison_in_row, config.poison_share)
            keys = IntakeKeys(connections, vault, config.intake_plain)
            exchange = Exchange(connections, vault, secret, limits, keys.opener)
            reading = Careful(marks / f"{config.worker_slot}.reading", exchange.unread).reading
            inbox = Inbox(login, connections, exchange, config.worker_slot, limits=limits, reading=reading)
            releaser = Releaser(connections, lambda: Exchange(connections, vault, secret, opener=keys.opener))

            async def read() -> None:
                await keys.ready()
                await asyncio.gather(inbox.run(), Watch(login, connections, inbox).run(), releaser.run())

            await asyncio.gather(keys.run(), read())

    async def relay() -> None:
        await asyncio.gather(*(Relay(url, login, group).run() for group in range(GROUPS)))

    _serve(app, "Exchange", consume)
    _serve(app, "Relays", relay)
    _serve(app, "Timers", lambda: Timers(url, login).run())
    _serve(app, "Coverage", lambda: CoverageTeller(url, login).run())
    _serve(app, "Checkpoints", lambda: Checkpoints(url, config).run())
    _serve(app, "Linker", lambda: Linker(url, login, vault).run())


def notify(app: faust.App, config: Settings, login: kafka.KafkaLogin) -> None:
    """Deliveries, swept from their rows; the agent on referral.event is only the wake-up."""
    url = _database(config)
    notifiers: list[Notifier] = []

    async def deliver() -> None:
        async with await pool(url, "worker") as connections:
            notifiers.append(Notifier(connections, vault_of(config)))
            await notifiers[-1].run()

    async def wake(stream: Any) -> None:
        async for _ in stream.take(500, within=0.2):
            for notifier in notifiers:
                notifier.wake()

    _serve(app, "Notify", deliver)
    app.agent(app.topic(topics.REFERRAL_EVENT))(wake)


ROLES: dict[str, Callable[[faust.App, Settings, kafka.KafkaLogin], None]] = {
    "exchange": exchange,
    "notify": notify,
}


def _serve(app: faust.App, name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine as a service of the app: started with it, cancelled with it, fatal when it fails."""

    async def task(self: Service) -> None:
        await run()

    app.service(type(name, (Service,), {"run": Service.task(task)}))


def _database(config: Settings) -> str:
    if not config.database_url:
        raise ValueError("no database is configured; set REFEX_DATABASE_URL, or run `refex up`")
    return config.database_url


def __getattr__(name: str) -> faust.App:
    """`app`, built when Faust asks for it, so that importing this module needs no settings."""
    if name != "app":
        raise AttributeError(name)
    logs.configure(settings())
    built = build(settings())
    globals()["app"] = built
    return built
