"""What a process would write to its log, caught: `with written() as log:` configures logging as a process does."""

import contextlib
import io
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import structlog

from infra import logs
from infra.settings import Settings


class Written(io.StringIO):
    """The lines so far, as text and as data."""

    def lines(self) -> list[dict[str, Any]]:
        """Each line's fields."""
        return [msgspec.json.decode(line) for line in self.getvalue().splitlines()]


@contextlib.contextmanager
def written(level: Literal["debug", "info"] = "debug") -> Iterator[Written]:
    """Everything logged meanwhile, as JSON; afterwards all is as before."""
    root, stream = logging.root, Written()
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook, sys.unraisablehook)
    kept = structlog.get_config()
    logs.configure(Settings(log_level=level, log_format="json"), stream)
    try:
        yield stream
    finally:
        logging.captureWarnings(False)
        logging.raiseExceptions = True
        root.handlers[:], root_level, sys.excepthook, threading.excepthook, sys.unraisablehook = before
        root.setLevel(root_level)
        for name in logs.EACH_CALL:
            logging.getLogger(name).setLevel(logging.NOTSET)
        structlog.configure(**kept)
