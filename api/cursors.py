"""Opaque cursors and clamped limits of lists, and the query parameters they share.

Comes in: query parameters of anybody. Goes out: typed values, or the 422 that names the parameter.
"""

import base64
import binascii
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from api.problems import wrong
from referrals.check import parse_time

T = TypeVar("T")
MAX_LIMIT = 200
DEFAULT_LIMIT = 50


def encode(position: Any) -> str:
    """A position in a list as an opaque text."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).decode().rstrip("=")


def decode(text: str | None, type: type[T]) -> T | None:
    """The position of a cursor, None when there is none; raises the 422 for anything we did not give out."""
    if not text:
        return None
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        return msgspec.msgpack.decode(raw, type=type)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise wrong("?cursor", "not a cursor of this list; start again without it") from None


def limit(request: Request, default: int = DEFAULT_LIMIT) -> int:
    """How many items: 1..200, larger is clamped; raises the 422."""
    text = request.query_params.get("limit")
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or int(text[:9]) < 1:
        raise wrong("?limit", "send a whole number from 1 to 200")
    return min(int(text[:9]), MAX_LIMIT)


def moment(request: Request, name: str) -> datetime | None:
    """A date-time parameter; a bare + of its offset arrives as a space and is forgiven."""
    text = request.query_params.get(name)
    if not text:
        return None
    when = parse_time(text.strip().replace(" ", "+"))
    if when is None:
        raise wrong(f"?{name}", "not a date-time; send RFC 3339 with an offset")
    return when


def page(items: list[Any], next_cursor: str | None) -> dict[str, Any]:
    """Any list, as interfaces.md shapes it."""
    return {"items": items, "next_cursor": next_cursor}
