"""Errors as RFC 9457 problem+json, and as OperationOutcome under /fhir: what is wrong and what to do next.

Comes in: a Problem raised anywhere below a route. Goes out: a response. Must never name an object that the caller
may not see, echo a body, or say why something is not found.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response

from referrals.check import Invalid
from referrals.check import Problem as Wrong


class Kind(NamedTuple):
    """One kind of problem: its status, title, the advice when nothing better is known, FHIR's issue type."""

    status: int
    title: str
    detail: str
    issue: str = "processing"


KINDS: dict[str, Kind] = {
    "malformed": Kind(400, "Malformed request", "correct the request and send it again", "structure"),
    "unauthenticated": Kind(401, "Log in first", "send a valid Bearer token from /oauth/token", "login"),
    "not-permitted": Kind(403, "Not permitted", "your organization or token may not do this", "forbidden"),
    "csrf": Kind(403, "Form out of date", "load the page again and resend the form", "forbidden"),
    "not-found": Kind(
        404, "Not found", "there is nothing here that you may see; check the address", "not-found"
    ),
    "method-not-allowed": Kind(
        405, "Method not allowed", "see /openapi.json for the methods", "not-supported"
    ),
    "timeout": Kind(408, "Too slow", "the body did not arrive in time; send it again", "timeout"),
    "conflict": Kind(409, "Conflict", "read the referral again and decide anew", "conflict"),
    "too-large": Kind(413, "Too large", "send at most 1 MiB in one request", "too-long"),
    "unsupported": Kind(415, "Unsupported media type", "send JSON", "not-supported"),
    "invalid": Kind(
        422, "Invalid content", "correct the fields named in errors and send it again", "invalid"
    ),
    "key-reused": Kind(
        422, "Idempotency-Key reused", "this key came with another body; use a new one", "duplicate"
    ),
    "too-many": Kind(429, "Too many requests", "wait as Retry-After says, then go on", "throttled"),
    "internal": Kind(
        500, "Our failure", "nothing to correct; the operator can find the request id", "exception"
    ),
    "not-implemented": Kind(501, "Not there yet", "this part is not in this version", "not-supported"),
    "rebuilding": Kind(
        503,
        "Rebuilding",
        "lists are being made anew; try again later, nothing is wrong with the request",
        "transient",
    ),
    "away": Kind(503, "Temporarily away", "try again after a few seconds; nothing is wrong with the request"),
}
BY_STATUS = {kind.status: name for name, kind in reversed(KINDS.items())} | {503: "away"}


class Problem(Exception):
    """Raise it to answer with an error; `kind` is a key of KINDS, `extra` are members beside the standard ones."""

    def __init__(
        self,
        kind: str,
        detail: str | None = None,
        errors: Sequence[Wrong] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        self.kind = kind
        self.status = KINDS[kind].status
        self.title = KINDS[kind].title
        self.detail = detail or KINDS[kind].detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extra = extra
        super().__init__(f"{self.kind}: {self.detail}")


def not_found() -> Problem:
    """The one answer for what does not exist and for what is somebody else's."""
    return Problem("not-found")


def away(what: str) -> Problem:
    """Kafka or Postgres cannot be reached; those who ask now do not all come back in one moment."""
    wait = str(random.randint(1, 4))
    return Problem("away", f"{what} cannot be reached; try again", headers={"Retry-After": wait})


def rebuilding() -> Problem:
    """The projections are not whole."""
    return Problem("rebuilding", headers={"Retry-After": "10"})


def locked() -> Problem:
    """The key that opens personal data is not here; the log tells the operator which."""
    return Problem(
        "away", "personal data cannot be opened now; the operator has to restore its key (see the log)"
    )


def invalid(error: Invalid) -> Problem:
    """The problems of a body that the check found."""
    return Problem("invalid", errors=error.problems)


def wrong(pointer: str, detail: str) -> Problem:
    """One field is wrong."""
    return Problem("invalid", errors=[Wrong(pointer, detail)])


def as_json(problem: Problem) -> Response:
    """The problem as application/problem+json."""
    body = {
        "type": f"urn:refex:problem:{problem.kind}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "errors": [{"pointer": e.pointer, "detail": e.detail} for e in problem.errors],
        **problem.extra,
    }
    return Response(msgspec.json.encode(body), problem.status, problem.headers, "application/problem+json")


def as_fhir(problem: Problem) -> Response:
    """The problem as an OperationOutcome."""
    issues: list[dict[str, Any]] = [
        {
            "severity": "error",
            "code": KINDS[problem.kind].issue,
            "diagnostics": e.detail,
            "expression": [e.pointer],
        }
        for e in problem.errors
    ] or [{"severity": "error", "code": KINDS[problem.kind].issue, "diagnostics": problem.detail}]
    body = {"resourceType": "OperationOutcome", "issue": issues}
    return Response(msgspec.json.encode(body), problem.status, problem.headers, "application/fhir+json")
