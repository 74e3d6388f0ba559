"""The allow-list of log lines: which events are told, under which keys, and what may be shown of a value.

Comes in: whatever somebody wants to log. Goes out: what may be written of it, or None. Must never let a text through
because it looks harmless: words of ours, numbers, ids that we made, types and places in code are all there is.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

ROOT = Path(__file__).parents[1]
PACKAGES = frozenset({"referrals", "avro_schemas", "producers", "stream_processors", "api", "infra", "cli"})
MOST_FRAMES = 40

EVENTS = frozenset(
    {
        "a client's key set cannot be used",
        "a part did not come back",
        "a provider's answer was refused",
        "a part ended; starting it again",
        "a record kills its reader and is quarantined unread",
        "a released record failed again",
        "an e-mail could not be sent",
        "an identity provider cannot be used",
        "an offset is missing",
        "answered",
        "client assertion refused",
        "crash points are set: this process will end itself on purpose",
        "did not stop in time; what was not committed is rolled back",
        "partition stopped",
        "personal data cannot be opened",
        "request failed",
        "starts anew",
        "the listener of a part's pid failed",
        "the log is not the one it was",
        "the process that tries records was killed; trying again",
        "this process ends by an error",
        "waits for the broker",
    }
)
"""Every line that our own code writes. A new one is added here, or it is written as `unlisted` with its place."""


SAYING = frozenset(
    {
        "AnotherAccount",
        "Locked",
        "MigrationError",
        "NotGenuine",
        "NotVouched",
        "Rebuilding",
        "RegistryError",
        "SettingsError",
        "SlotTaken",
        "StandsStill",
        "Stopped",
    }
)
"""Types of ours whose text is ours throughout: words, settings, topics, numbers; nothing of a record or a person."""


def number(value: Any) -> int | float | None:
    """A count, a duration, an offset."""
    return value if isinstance(value, int | float) else None


def sentence(value: Any) -> str | None:
    """Only the text of a type that was declared to be ours."""
    kind = type(value)
    ours = kind.__module__.partition(".")[0] in PACKAGES
    return str(value) if ours and kind.__name__ in SAYING else None


def known(pattern: str) -> Callable[[Any], str | None]:
    """A word of ours, whole: the pattern holds no wildcard but for numbers and organizations in topics."""
    whole = re.compile(pattern)
    return lambda value: str(value) if isinstance(value, str) and whole.fullmatch(value) else None


topic = known(
    r"(intake|feedback)\.[a-z0-9][a-z0-9-]{1,59}|(referral|exchange)\.event|referral\.(response|timer)|dead-letter"
    r"|(coverage|consent|person|directory)\.change|__consumer_offsets"
)
part = known(
    r"(relay|worker|extra)[ -]\d{1,3}|api|notify|kafka|postgres|guardian|coverage|release|linker|timers|checkpoints"
)
group = known(r"refex-(exchange|notify|relay|timers|worker|api|embedded)(-\d{1,3})?")


def place(value: Any) -> str | None:
    """Topic, partition and, where there is one, offset."""
    if not (isinstance(value, tuple) and 2 <= len(value) <= 3 and topic(value[0])):
        return None
    return ":".join(map(str, value)) if all(isinstance(n, int) for n in value[1:]) else None


def opaque(value: Any) -> str | None:
    """An id that the exchange made."""
    if isinstance(value, UUID):
        return str(value)
    return known(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")(value)


def error(value: Any) -> str | None:
    """The type of a failure, with Postgres' five-letter code; never its message, which quotes what it met."""
    kind = value if isinstance(value, type) else type(value)
    if not issubclass(kind, BaseException):
        return None
    code = known("[0-9A-Z]{5}")(getattr(value, "sqlstate", None))
    return f"{kind.__name__} {code}" if code else kind.__name__


def host(value: Any) -> str | None:
    """The machine of an address, without its path and query."""
    return urlsplit(value).hostname if isinstance(value, str) and value.startswith("http") else None


KEYS: Mapping[str, Callable[[Any], Any]] = {
    "after_s": number,
    "at": known(r"[a-z-]+\.[a-z-]+:\d{1,6}(:stop)?(,[a-z-]+\.[a-z-]+:\d{1,6}(:stop)?)*"),
    "do": sentence,
    "error": error,
    "exit_code": number,
    "id": opaque,
    "method": known("GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS"),
    "ms": number,
    "offset": number,
    "part": part,
    "partition": number,
    "pid": number,
    "place": place,
    "reason": sentence,
    "records": number,
    "route": known(r"((/|\.)([a-z-]+|v1|\{[a-z:]+\}))+|/"),
    "status": number,
    "topic": topic,
    "url": host,
    "wait_s": number,
    "what": part,
}


def frames(trace: TracebackType | None) -> list[str]:
    """Where it happened, outermost first: our frames and the innermost one, as file:line and function; no values."""
    found: list[tuple[str, bool]] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        file, ours = located(code.co_filename)
        found.append((f"{file}:{trace.tb_lineno} {code.co_name}", ours))
        trace = trace.tb_next
    last = len(found) - 1
    return [text for n, (text, ours) in enumerate(found) if ours or n == last][-MOST_FRAMES:]


def located(filename: str) -> tuple[str, bool]:
    """A source file's path inside its distribution, and whether it is one of ours."""
    path = Path(filename)
    parts = path.parts
    if "site-packages" in parts:
        parts = parts[len(parts) - parts[::-1].index("site-packages") :]
    elif path.is_relative_to(ROOT):
        parts = path.relative_to(ROOT).parts
    else:
        parts = parts[-2:]
    return "/".join(parts), bool(parts) and parts[0] in PACKAGES


def failure(of: BaseException) -> dict[str, Any]:
    """What may be told of an exception: its type, its causes' and parts' types, where it happened."""
    found: dict[str, Any] = {"error": error(of), "frames": frames(of.__traceback__)}
    causes: list[str] = []
    says = sentence(of)
    inner = _inner(of)
    while inner and len(causes) < 8:
        each = inner.pop(0)
        says = says or sentence(each)
        causes.append(f"{error(each)} {(frames(each.__traceback__) or ['?'])[-1]}")
        inner += _inner(each)
    return found | ({"says": says} if says else {}) | ({"causes": causes} if causes else {})


def _inner(of: BaseException) -> list[BaseException]:
    within = list(of.exceptions) if isinstance(of, BaseExceptionGroup) else []
    cause = of.__cause__ or (None if of.__suppress_context__ else of.__context__)
    return [*within, *([cause] if cause else [])]
