"""Requests that nobody thought of, made from the API's own description, by those who may and those who may not.

Comes in: a running Api, a number, a seed. Goes out: what was answered, with what the description says against it. Every
operation gets as many cases of what it accepts as of what it must refuse; same seed, same cases.
"""

import contextlib
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)

from api import openapi
from api.app import ROUTES
from tests.support.api import Api
from tests.support.matrix.people import Who

BASE = "http://test"
CHECKS = [content_type_conformance, response_headers_conformance, response_schema_conformance]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
# Not asked: it never ends.
STREAM = "/v1/events/stream"
OWN_IDS = 0.6
"""The share of requests whose id in the path is one that there is."""


class Fuzzed(NamedTuple):
    """One request and its answer; `against` = what the description has against it, `past`: got past authentication."""

    label: str
    who: str
    status: int
    took_s: float
    past: bool
    against: str
    sent: str
    said: str


def cases(number: int, seeded: int) -> list[Case[Any]]:
    """At least that many: the same number of every operation, and more of those whose bodies have much in them."""
    operations = list(_operations())
    each = -(-number // (2 * len(operations)))
    made = [
        case for one, mode in itertools.product(operations, MODES) for case in _drawn(one, mode, each, seeded)
    ]
    rich = [one for one in operations if one.method != "get"]
    for again in itertools.count(
        seeded + 1
    ):  # an operation may have fewer different cases than were asked for
        if len(made) >= number:
            break
        more = -(-(number - len(made)) // (2 * len(rich)))
        made += [
            case for one, mode in itertools.product(rich, MODES) for case in _drawn(one, mode, more, again)
        ]
    random.Random(seeded).shuffle(made)
    return made


def _operations() -> Iterator[Any]:
    document = openapi.document([r for r in ROUTES if r.path != STREAM], BASE, "0")
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


def _drawn(operation: Any, mode: GenerationMode, number: int, seeded: int) -> list[Case[Any]]:
    found: list[Case[Any]] = []

    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seed(seeded)
    @given(operation.as_strategy(generation_mode=mode))
    def draw(case: Case[Any]) -> None:
        found.append(case)

    with contextlib.suppress(Unsatisfiable):  # what takes nothing cannot be asked wrongly
        draw()
    return found[:number]


async def sent(
    api: Api, found: Sequence[Case[Any]], people: Sequence[Who], ids: Sequence[str], seeded: int
) -> list[Fuzzed]:
    """Send them all, three of four by somebody whose type may; ids that there are stand in most paths."""
    drawn = random.Random(seeded)
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        return [await _one(http, case, _caller(case, people, drawn), ids, drawn) for case in found]


def _caller(case: Case[Any], people: Sequence[Who], drawn: random.Random) -> Who:
    described = case.operation.definition.raw
    fitting = [who for who in people if who.whole and who.type in described["x-principals"]] or list(people)
    return drawn.choice(fitting if drawn.random() < 0.75 else list(people))


async def _one(
    http: httpx.AsyncClient, case: Case[Any], who: Who, ids: Sequence[str], drawn: random.Random
) -> Fuzzed:
    if "id" in (case.path_parameters or {}) and drawn.random() < OWN_IDS:
        case.path_parameters["id"] = drawn.choice(ids)
    arguments = {k: v for k, v in case.as_transport_kwargs(base_url=BASE).items() if v is not None}
    headers = _sendable(arguments.pop("headers", {})) | who.headers
    arguments.pop("cookies", None)
    if "data" in arguments:
        data = arguments.pop("data")
        arguments["content" if isinstance(data, bytes | str) else "data"] = data
    answer = await http.request(arguments.pop("method"), arguments.pop("url"), headers=headers, **arguments)
    http.cookies.clear()
    past = answer.status_code != 401 or case.operation.path == "/oauth/token"
    return Fuzzed(
        case.operation.label,
        who.name,
        answer.status_code,
        answer.elapsed.total_seconds(),
        past,
        _against(case, answer),
        f"{answer.request.method} {answer.request.url} {answer.request.content[:500]!r}",
        answer.text[:500],
    )


def _sendable(headers: dict[str, Any]) -> dict[str, Any]:
    """Without what no HTTP client could put on the wire."""
    return {
        k: v
        for k, v in headers.items()
        if str(v).isascii() and str(v).isprintable() and str(v) == str(v).strip()
    }


def _against(case: Case[Any], answer: httpx.Response) -> str:
    try:
        case.validate_response(answer, checks=CHECKS)
    except (Failure, FailureGroup) as failure:
        return str(failure)[:1000] or type(failure).__name__
    return ""


def wrong(found: Sequence[Fuzzed], longest_s: float) -> Iterator[str]:
    """Our failures, answers too late and answers that are not as described; 503 of the probe is no failure."""
    for one in found:
        failed = one.status >= 500 and one.label != "GET /readyz"
        if failed or one.took_s > longest_s or one.against:
            yield f"{one.label} by {one.who}: {one.status} {one.against}\n  {one.sent}\n  {one.said}"
