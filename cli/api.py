"""`refex api`: the JSON and FHIR doors, the pages and /metrics, against configured servers.

Must never start anything else; migrations and topics have commands of their own.
"""

import click

from infra.settings import settings


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
    uvicorn.run(
        build(configured),
        host=configured.host,
        port=configured.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
    )
