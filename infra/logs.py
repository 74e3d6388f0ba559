"""How every process writes its log: one line per event, of allow-listed keys and values, to standard error.

Comes in: settings, then whatever our code and its libraries log, print or end by. Goes out: lines that hold no text
which came from outside (log_words.py, log_foreign.py), at every level. Must never write an exception's message.
"""

import logging
import sys
import threading
from collections.abc import MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

import msgspec
import structlog

from infra import log_foreign
from infra import log_words as words
from infra.settings import Settings

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
EACH_CALL = ("httpx",)
"""Libraries that log each of their calls at INFO: told of at DEBUG. A demo's own traffic buried its URL and log-ins."""
UNLISTED = "unlisted"
Line = dict[str, Any]
log = structlog.get_logger("refex.process")


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Every logger of this process, and what it prints when it ends by an error; may be called again."""
    out = stream or sys.stderr
    level = LEVELS[settings.log_level]
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not out.isatty())
    write = _json if as_json else _console
    structlog.configure(
        processors=[kept, lambda _logger, _method, line: write(dict(line))],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(_Foreign(write))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    for name in EACH_CALL:
        logging.getLogger(name).setLevel(level if level <= logging.DEBUG else max(level, logging.WARNING))
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a record that cannot be formatted would be printed as it is
    sys.excepthook = _ended
    threading.excepthook = lambda of: _ended(of.exc_type, of.exc_value, of.exc_traceback)
    sys.unraisablehook = lambda of: _ended(of.exc_type, of.exc_value, of.exc_traceback)


def kept(_logger: Any, method: str, given: MutableMapping[str, Any]) -> Line:
    """A line of ours: its event if it is listed, each key's value if it may be shown; of the rest the number."""
    said = dict(given)
    event = said.pop("event", "")
    line = _begun(method) | {"event": event if event in words.EVENTS else UNLISTED}
    if line["event"] == UNLISTED:
        line["where"] = _caller()
    withheld = 0
    for key, value in said.items():
        shown = words.KEYS[key](value) if key in words.KEYS else None
        if shown is None:
            withheld += value is not None
        else:
            line[key] = shown
    if isinstance(failed := said.get("error"), BaseException):
        line |= words.failure(failed)
    return line | ({"withheld": withheld} if withheld else {})


class _Foreign(logging.Formatter):
    """What the libraries log, through the same sieve."""

    def __init__(self, write: Any) -> None:
        super().__init__()
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        return str(self._write(_begun(record.levelname.lower()) | log_foreign.fields(record)))


def _begun(level: str) -> Line:
    return {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level}


def _json(line: Line) -> str:
    return msgspec.json.encode(line).decode()


def _console(line: Line) -> str:
    rest = "".join(f" {k}={v}" for k, v in line.items() if k not in ("at", "level", "event", "frames"))
    below = "".join(f"\n    {each}" for each in line.get("frames", ()))
    return f"{line['at'][11:23]} {line['level']:<7} {line['event']}{rest}{below}"


def _caller() -> str:
    """Where the line was written, past the logger's own frames."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        ("structlog", "infra.logs")
    ):
        frame = frame.f_back
    return f"{words.located(frame.f_code.co_filename)[0]}:{frame.f_lineno}"


def _ended(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Instead of the traceback Python prints: the same places, without the message."""
    log.error("this process ends by an error", error=error or kind)
