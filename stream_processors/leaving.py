"""A worker that is asked to stop, or has failed, is gone in time: what hangs is left to be rolled back.

Comes in: the end of a worker, however it came. Goes out: the end of its process. Safe at any instant, for offsets move
with their effects (architecture 1); without it a Postgres that hangs would keep the process for ever.
"""

import os
import threading

import faust
import structlog

WITHIN_S = 8.0
LEFT = 75
"""The exit status of a worker that could not end in order, as EX_TEMPFAIL."""
log = structlog.get_logger()


class Worker(faust.Worker):
    """Faust's worker, with a last moment."""

    async def stop(self) -> None:
        """In order if it can be, else by leaving."""
        timer = threading.Timer(WITHIN_S, _leave)
        timer.daemon = True
        timer.start()
        await super().stop()


def _leave() -> None:
    log.error("did not stop in time", after_s=WITHIN_S, do="what was not committed is rolled back")
    os._exit(LEFT)
