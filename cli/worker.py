"""`refex worker`: becomes the Faust worker of stream_processors.app (same pid), against configured servers.

Must never run a second process: whoever started this one watches its pid.
"""

import os
import sys
from importlib.util import find_spec

import click

from infra.settings import settings


@click.command(epilog="Example: REFEX_WORKER_SLOT=1 refex worker")
@click.option(
    "--notify", is_flag=True, help="Run the deliveries (webhooks, e-mail) instead of the exchange step."
)
def worker(notify: bool) -> None:
    """Run one worker (what the worker container runs); each needs a REFEX_WORKER_SLOT of its own."""
    configured = settings()
    if not configured.database_url or not configured.kafka_bootstrap:
        raise click.UsageError(
            "set REFEX_DATABASE_URL and REFEX_KAFKA_BOOTSTRAP, or run `refex up` for everything here"
        )
    os.environ["REFEX_WORKER_ROLE"] = "notify" if notify else configured.worker_role
    configured.data_path.mkdir(mode=0o711, parents=True, exist_ok=True)
    os.execv(sys.executable, command())  # noqa: S606


def command() -> list[str]:
    """The Faust worker, on uvloop where that is installed: Faust's own default is asyncio's loop."""
    loop = "uvloop" if find_spec("uvloop") else "aio"
    faust = [sys.executable, "-m", "faust", "-A", "stream_processors.app", "--loop", loop, "worker"]
    return [*faust, "--without-web"]  # what is logged, and how, is infra/logs.py's
