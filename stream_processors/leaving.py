"""Faust's worker with a first and a last moment: it waits for the broker, and once it is to stop it is gone in time.

Comes in: the end of a worker, however it came. Goes out: the end of its process. Safe at any instant, for offsets move
with their effects (architecture 1); without it a Postgres that hangs would keep the process for ever.
"""

import asyncio
import logging
import os
import random
import sys
import threading
from typing import Any

import faust
import structlog
from mode.utils.logging import FileLogProxy

from infra.kafka import KafkaLogin
from infra.reachable import OK, Broker

WITHIN_S = 8.0
LEFT = 75
"""The exit status of a worker that could not end in order, as EX_TEMPFAIL."""
log = structlog.get_logger()
PRINTED = logging.getLogger("printed")


def worker(login: KafkaLogin) -> type[faust.Worker]:
    """The class of workers of this broker."""

    class Worker(faust.Worker):
        def __init__(self, *of: Any, **how: Any) -> None:
            """Our own logging stays; what Faust, or a traceback, prints goes through it."""
            super().__init__(*of, **how | {"override_logging": False, "redirect_stdouts": False})
            self.stderr = self.stdout = FileLogProxy(PRINTED, severity=logging.INFO)
            sys.stdout = sys.stderr = self.stdout

        async def on_execute(self) -> None:
            """Before anything starts: Faust's own clients end the process when the broker is away just then."""
            await super().on_execute()
            broker = Broker(login)
            while await broker.answers() != OK:
                log.warning("waits for the broker")
                await asyncio.sleep(random.uniform(0.5, 2.0))
            await broker.close()

        async def stop(self) -> None:
            """In order if it can be, else by leaving."""
            timer = threading.Timer(WITHIN_S, _leave)
            timer.daemon = True
            timer.start()
            await super().stop()

    return Worker


def _leave() -> None:
    log.error("did not stop in time; what was not committed is rolled back", after_s=WITHIN_S)
    os._exit(LEFT)
