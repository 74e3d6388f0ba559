"""Log records of libraries: their sentence, with every argument reduced to what may be shown of it.

Comes in: a record of the standard library's logging. Goes out: a line's fields. Must never show a text that a library
put together by itself: such a message is withheld, and the place in its source told instead.
"""

import logging
import re
import sys
from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any
from uuid import UUID

from infra import log_words as words

TEMPLATES = frozenset({"aiokafka", "asyncpg", "httpx"})
"""Libraries whose every message is a literal and its arguments; tests read their sources to see that it stays so."""

SENTENCES = frozenset(
    {
        # mode and faust put some messages together; these are the ones that operators look for
        "Starting...",
        "Stopping...",
        "Shutting down...",
        "Ready",
        "Signal received: %s (%s)",
        "Gathering service tasks...",
        "Gathering all futures...",
        "Closing event loop",
        "Crashed reason=%r",
        "Error: %r",
        "Restarting on rebalance",
        "Unexpected error: %r",
        # uvicorn
        "Started server process [%d]",
        "Finished server process [%d]",
        "Waiting for application startup.",
        "Application startup complete.",
        "Waiting for application shutdown.",
        "Application shutdown complete.",
        "Application startup failed. Exiting.",
        "Shutting down",
        "Waiting for connections to close. (CTRL+C to force quit)",
        "Waiting for background tasks to complete. (CTRL+C to force quit)",
        "Invalid HTTP request received.",
        "Exception in ASGI application\n",
        "ASGI callable returned without completing response.",
        "Cancel %s running task(s), timeout graceful shutdown exceeded",
        # asyncio: what follows such a first line is the repr of tasks, with what they hold
        "Task exception was never retrieved",
        "Future exception was never retrieved",
        "Unclosed connection",
        "Using selector: %s",
    }
)
LABEL = re.compile(r"\[\^-*([A-Za-z]{1,40})\]: ")
MOST = 10
WITHHELD = "<text>"


class _Plain(str):
    """Shown as it is by %s and by %r."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What may be told of a library's record."""
    file, _ = words.located(record.pathname)
    said: dict[str, Any] = {"logger": logger(record.name), "event": event(record)}
    if said["event"] == WITHHELD:
        said["where"] = f"{file}:{record.lineno} {record.funcName}"
    if record.exc_info and record.exc_info[1] is not None:
        said |= words.failure(record.exc_info[1])
    return said


def logger(name: str) -> str:
    """The name of a logger, which is that of a module; anything else a library may have called it is `other`."""
    return name if name.partition(".")[0] in sys.modules or name == "printed" else "other"


def event(record: logging.LogRecord) -> str:
    """The sentence with its arguments shown, or WITHHELD."""
    template = record.msg if isinstance(record.msg, str) else ""
    label = LABEL.match(template)
    sentence = template[label.end() :] if label else template
    first = sentence.partition("\n")[0]
    if record.name.partition(".")[0] not in TEMPLATES and not {sentence, first} & SENTENCES:
        return WITHHELD
    sentence = sentence if sentence in SENTENCES or record.name.partition(".")[0] in TEMPLATES else first
    shown = f"[{label[1]}] {sentence}" if label else sentence
    if not record.args:
        return shown.rstrip()
    args = record.args
    try:
        return (
            shown % ({k: argument(v) for k, v in args.items()} if isinstance(args, Mapping) else _each(args))
        ).rstrip()
    except (TypeError, ValueError, KeyError):
        return shown.rstrip()


def argument(value: Any) -> Any:
    """What is shown of an argument: numbers, our words, types of errors; of all else its type."""
    if value is None or isinstance(value, bool | int | float):
        return value.name if isinstance(value, Enum) else value
    if isinstance(value, BaseException | type):
        return _Plain(words.error(value) or f"<{getattr(value, '__name__', 'type')}>")
    if isinstance(value, UUID):
        return _Plain(value)
    if isinstance(value, str):
        return _Plain(words.topic(value) or words.group(value) or words.part(value) or WITHHELD)
    if isinstance(value, tuple) and (found := words.place(tuple(value))):
        return _Plain(found)
    if isinstance(value, Collection) and not isinstance(value, bytes | bytearray | Mapping):
        few = [str(argument(v)) for _, v in zip(range(MOST), value, strict=False)]
        return _Plain(f"{{{', '.join(few)}{', ...' if len(value) > MOST else ''}}}")
    return _Plain(f"<{type(value).__name__}>")


def _each(args: Any) -> tuple[Any, ...]:
    return tuple(argument(v) for v in args)
