"""Request bodies: bytes become JSON, JSON becomes a typed struct, or a 400/415/422 says what to correct.

Comes in: a request of any sender. Goes out: decoded values and the structs of what may be asked. Must never look
anything up; the clock is an argument.
"""

import re
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api.problems import Problem, wrong
from referrals import check
from referrals.check import MAX_AHEAD, MAX_ID, parse_time

T = TypeVar("T")
Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Code = Annotated[str, Meta(min_length=1, max_length=100)]
Text = Annotated[str, Meta(max_length=20_000)]
Version = Annotated[int, Meta(ge=1, le=2_147_483_647)]
Number = Annotated[float, Meta(ge=-1e12, le=1e12)]


class _Body(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A body: absent and null are the same, unknown fields are ignored."""


class CancelBody(_Body, frozen=True, kw_only=True):
    """Take a referral back."""

    reason: Code
    note: Text | None = None


class OutcomeBody(_Body, frozen=True, kw_only=True):
    """How it ended: a code of the outcomes list, and what became of the need."""

    code: Code
    need: Code | None = None


class WaitlistBody(_Body, frozen=True, kw_only=True):
    """Where the person stands in the queue."""

    position: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    expected_date: Code | None = None


class ResponseBody(_Body, frozen=True, kw_only=True):
    """An answer to a hop; the fields below `version` belong to single actions.

    `channel` (phone or fax) and `on_behalf_of` are the hub's, which records what an organization told it.
    """

    action: Code
    hop: Id | None = None
    reason: Code | None = None
    outcome: OutcomeBody | None = None
    note: Text | None = None
    occurred_at: Code | None = None
    version: Version | None = None
    method: Code | None = None
    reached: bool | None = None
    review_date: Code | None = None
    waitlist: WaitlistBody | None = None
    service_event_id: Id | None = None
    code: Code | None = None
    date: Code | None = None
    units: Number | None = None
    organization: Id | None = None
    service: Id | None = None
    void: bool | None = None
    close_service: bool | None = None
    follow_up: Code | None = None
    channel: Code | None = None
    on_behalf_of: Id | None = None

    def details(self) -> dict[str, Any]:
        """The action's own fields, without free text."""
        given = msgspec.to_builtins(self)
        return {name: given[name] for name in DETAILS if given.get(name) is not None}


DETAILS = (
    "method",
    "reached",
    "review_date",
    "waitlist",
    "service_event_id",
    "code",
    "date",
    "units",
    "organization",
    "service",
    "void",
    "close_service",
    "follow_up",
)


class AssignBody(_Body, frozen=True, kw_only=True):
    """A navigator's choice of service, or of several that are asked at once."""

    service: Id | None = None
    services: Annotated[list[Id], Meta(max_length=20)] | None = None
    reason: Text | None = None
    version: Version | None = None


class AuthorizationBody(_Body, frozen=True, kw_only=True):
    """A plan's decision."""

    status: Code
    number: Id | None = None
    units: Number | None = None
    from_: Code | None = msgspec.field(default=None, name="from")
    to: Code | None = None
    reason: Code | None = None


class ClosureBody(_Body, frozen=True, kw_only=True):
    """A closure with dates, both included; without `to` it lasts until its CBO says otherwise."""

    from_: Code = msgspec.field(name="from")
    to: Code | None = None
    reason: Text | None = None


class CapacityBody(_Body, frozen=True, kw_only=True):
    """How much room a service has, until when that holds, and when it is closed; what is not said stays."""

    status: Code | None = None
    available: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    until: Code | None = None
    expires_at: Code | None = None
    closures: list[ClosureBody] | None = None
    note: Text | None = None


class ConsentBody(_Body, frozen=True, kw_only=True):
    """A consent as a submission says it (interfaces.md), flat; the person is named by the sender's own person_id."""

    person_id: Id
    status: Code = "active"
    organization: Id | None = None
    occurred_at: Code | None = None
    method: Text | None = None
    recipients: list[dict[str, Any]] = []
    purposes: list[Code] = []
    data_categories: list[Code] = []
    scope: list[Code] = []
    date: Code | None = None
    expires_at: Code | None = None


class RevocationBody(_Body, frozen=True, kw_only=True):
    """The end of a consent; the person may be left out once it is known, `organization` is for a hub alone."""

    person_id: Id | None = None
    organization: Id | None = None
    occurred_at: Code | None = None
    reason: Text | None = None


async def read(request: Request) -> bytes:
    """The body's bytes; the limit of 1 MiB is the middleware's."""
    return await request.body()


def decode(body: bytes, content_type: str) -> Any:
    """Decoded JSON of a body; raises the 400 or 415, and the 422 for NUL or too deep nesting."""
    media = content_type.partition(";")[0].strip().lower()
    if media and not re.fullmatch(r"(application|text)/([a-z0-9.+-]+\+)?json", media):
        raise Problem("unsupported")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem("malformed", "the body is not JSON in UTF-8; send one JSON object") from None
    if errors := list(check.unclean("", value)):
        raise Problem("invalid", errors=errors[:50])
    return value


async def read_as(request: Request, type: type[T]) -> tuple[bytes, T]:
    """The body as bytes and as a struct; raises the 400, 413, 415 or 422."""
    body = await read(request)
    value = decode(body, request.headers.get("content-type", ""))
    return body, shaped(value, type)


def shaped(value: Any, type: type[T]) -> T:
    """Decoded JSON as a struct; raises the 422 with a JSON pointer."""
    if not isinstance(value, dict):
        raise wrong("", "send one JSON object")
    given = {k: v for k, v in value.items() if v is not None}
    try:
        return msgspec.convert(given, type)
    except msgspec.ValidationError as error:
        raise Problem("invalid", errors=[check.located(error)]) from None


def said_at(text: str | None, now: datetime, pointer: str = "/occurred_at") -> datetime | None:
    """When it happened, as said; raises the 422 for nonsense and for the future."""
    if text is None:
        return None
    when = parse_time(text)
    if when is None or when.year < 1900:
        raise wrong(pointer, "not a date-time; send RFC 3339 with an offset")
    if when > now + MAX_AHEAD:
        raise wrong(pointer, "lies more than 5 minutes in the future; check your clock")
    return when


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")
