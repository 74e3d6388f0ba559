"""However many people, referrals and callers there are, and whatever they invent: the series stay the same few."""

import ast
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY

from api import metrics
from api.middleware import Frame, _method

ROOT = Path(__file__).parents[2]
MANY = 100_000
MOST = 2_000
# Where a series is chosen, and why there are few of them.
CHOSEN = {
    ("api/middleware.py", "_method(scope)"): "seven methods and `other`",
    ("api/middleware.py", "f'{status // 100}xx'"): "five classes of status",
    ("api/events.py", "record.topic"): "the topics the API writes",
    ("api/responses.py", "said.action"): "checked against ACTIONS before",
    ("api/pages/cbo.py", "action"): "the page's own forms",
    ("api/pages/hub_acts.py", "action"): "the page's own forms",
    ("api/metrics.py", "row['label']"): "statuses, by a query over a column with a check",
}


async def nothing(
    _scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def drop(_message: Any) -> None:
    return None


async def never() -> Any:
    return {"type": "http.request"}


def series() -> int:
    """How many there are in both registries."""
    return sum(len(family.samples) for r in (metrics.REGISTRY, REGISTRY) for family in r.collect())


async def test_a_hundred_thousand_ids_and_methods_make_no_series() -> None:
    frame = Frame(nothing)

    async def ask(number: int) -> None:
        path, method = f"/v1/referrals/{number}", "GET" if number % 2 else f"M{number}"
        await frame({"type": "http", "method": method, "path": path, "headers": []}, never, drop)

    for number in range(2):
        await ask(number)
    before = series()
    for number in range(MANY // 100):
        await ask(number)
    for number in range(MANY):
        metrics.REQUESTS.labels(_method({"method": f"M{number}"}), "4xx").inc()
    assert series() == before < MOST
    assert b"M77" not in metrics.text() and b"/v1/referrals" not in metrics.text()


def test_every_label_is_chosen_from_few() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), ast.unparse(argument))
        for package in ("api", "stream_processors", "infra", "producers", "cli")
        for path in (ROOT / package).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "labels"
        for argument in (*call.args, *(k.value for k in call.keywords))
    }
    assert found == CHOSEN.keys()
