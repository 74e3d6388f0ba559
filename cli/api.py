"""`refex api`: the JSON and FHIR doors, the pages and /metrics, against configured servers.

Must never start anything else; migrations and topics have commands of their own.
"""

import socket
from pathlib import Path

import click

from avro_schemas import registry
from cli.keeping import Keeping
from infra import crash_points
from infra.settings import settings

SEND_BUFFER = 64 * 1024  # what the system keeps for one who does not read; else it grows to megabytes each
DEMO_CBOS = ("harvest-food-bank", "safe-harbor-housing", "open-road-rides")


@click.command(epilog="Example: REFEX_DATABASE_URL=... REFEX_KAFKA_BOOTSTRAP=... refex api")
def api() -> None:
    """Serve the API and the pages (what the api container runs)."""
    import uvicorn

    from api.app import build

    configured = settings()
    if not configured.database_url or not configured.kafka_bootstrap:
        raise click.UsageError(
            "set REFEX_DATABASE_URL and REFEX_KAFKA_BOOTSTRAP, or run `refex up` for everything here"
        )
    crash_points.armed()
    registry.adopt(configured.schema_registry_url)
    app = build(configured)
    if configured.demo:
        app.state.demo_logins = demo_logins(configured.data_path)
    config = uvicorn.Config(
        app,
        host=configured.host,
        port=configured.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
    )
    listening = config.bind_socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    if not server.started:
        raise SystemExit(3)


def demo_logins(data_dir: Path) -> list[dict[str, str]]:
    """The demo's log-ins for the log-in page: one per kind of organization, and the CBOs the README names."""
    found: dict[str, dict[str, str]] = {}
    for member in Keeping(data_dir).participants():
        key = member.id if member.id in DEMO_CBOS or member.type != "cbo" else ""
        if key and member.users:
            user = member.users[0]
            label = f"{member.name} ({member.type})"
            found.setdefault(key, {"email": user.email, "password": user.password, "label": label})
    return list(found.values())
