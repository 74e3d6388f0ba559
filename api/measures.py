"""Contract measures from the log: figures, the referrals behind one of them, and CSV of both.

Comes in: a contract, a period, a moment (`as_of`). Goes out: figures that the log alone can restate. Must never show
another payer's contract (404), nor a referral to anybody but its payer.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from api import cursors, policy
from api.bodies import answer
from api.context import action_of, context, principal_of
from api.problems import not_found, wrong
from api.tables import csv_answer
from infra.postgres import queries
from referrals import labels, measures
from referrals.contracts import Contract, contracts
from referrals.words import SENSITIVITIES

SQL = queries("api", "measures.sql")
PATIENCE_S = 20.0
MAX_ROWS = 100_000
COUNTERS = frozenset({"state", "operator"})
"""Who counts over every referral, and is shown the figures alone; all others count what they may read."""
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class Asked(NamedTuple):
    """Which contract, which period of receipt, as known when."""

    contract: Contract
    start: datetime
    end: datetime
    as_of: datetime


async def index(request: Request) -> Response:
    """Every measure of the contract."""
    asked = _asked(request)
    found = await _measured(request, asked)
    return answer(
        {
            "contract": asked.contract.id,
            "from": asked.start,
            "to": asked.end,
            "as_of": asked.as_of,
            "measures": found,
        }
    )


async def index_csv(request: Request) -> Response:
    """The same as CSV."""
    asked = _asked(request)
    found = await _measured(request, asked)
    names = measures.Measured.__struct_fields__
    return csv_answer(
        names, ([getattr(m, name) for name in names] for m in found), f"{asked.contract.id}-measures"
    )


async def listed(request: Request) -> Response:
    """Which referrals count in one measure, and how: for the payer."""
    asked = _asked(request)
    counted = await _counted(request, asked)
    limit = cursors.limit(request, cursors.MAX_LIMIT)
    start = max(cursors.decode(request.query_params.get("cursor"), int) or 0, 0)
    page = counted[start : start + limit]
    more = cursors.encode(start + limit) if start + limit < len(counted) else None
    said = await _labels(request, page)
    items = [dict(zip(COLUMNS, _columns(c, said), strict=True)) for c in page]
    return answer(cursors.page(items, more) | {"contract": asked.contract.id, "as_of": asked.as_of})


async def list_csv(request: Request) -> Response:
    """The same as CSV, whole."""
    counted = await _counted(request, _asked(request))
    said = await _labels(request, counted)
    return csv_answer(
        COLUMNS, (_columns(c, said) for c in counted), f"{request.path_params['measure']}-referrals"
    )


COLUMNS = (
    *("id", "received_at", "numerator", "immature", "hours", "withheld"),
    *("sensitivity", "notice"),
)
Labels = Mapping[UUID, tuple[str, ...]]


def _columns(c: measures.Counted, said: Labels) -> list[Any]:
    hours = None if c.hours is None else round(c.hours, 4)
    own = said.get(c.referral, SENSITIVITIES)
    return [
        c.referral,
        c.received_at,
        c.hit,
        c.immature,
        hours,
        c.withheld,
        " ".join(own),
        labels.notice(own),
    ]


async def _labels(request: Request, counted: Sequence[measures.Counted]) -> Labels:
    """The sensitivity of each referral behind a number, which goes with it."""
    principal = principal_of(request)
    async with context(request).database.reading(principal, PATIENCE_S) as connection:
        rows = await connection.fetch(SQL["labels"], [c.referral for c in counted], principal.organization)
    return {r["id"]: labels.holding(r["sensitivity"], r["domain"]) for r in rows}


def _asked(request: Request) -> Asked:
    contract = contracts().get(request.path_params["id"])
    if contract is None:
        raise not_found()
    policy.demand(principal_of(request), action_of(request), policy.contract(contract))
    now = datetime.now(UTC)
    as_of = min(cursors.moment(request, "as_of") or now, now)
    start, end = cursors.moment(request, "from") or EARLIEST, cursors.moment(request, "to") or as_of
    if start > end:
        raise wrong("?from", "lies after `to`; swap them")
    return Asked(contract, start, end, as_of)


async def _rows(request: Request, asked: Asked) -> list[measures.Row]:
    async with measuring(request) as connection:
        return await fetched(connection, asked)


@contextlib.asynccontextmanager
async def measuring(request: Request) -> AsyncIterator[asyncpg.Connection]:
    """A connection to count referrals with; few at a time, who waits for one holds none."""
    principal, database = principal_of(request), context(request).database
    counts = action_of(request) == "measure" and principal.type in COUNTERS
    reading = database.aggregates(PATIENCE_S) if counts else database.reading(principal, PATIENCE_S)
    async with context(request).measuring, reading as connection:
        yield connection


async def fetched(connection: asyncpg.Connection, asked: Asked) -> list[measures.Row]:
    """What the log knew; raises the 422 of a period with more referrals than are counted at once."""
    rows = await connection.fetch(
        SQL["rows"],
        asked.contract.payer,
        asked.contract.id,
        asked.start,
        asked.end,
        asked.as_of,
        list(measures.MARKS),
        MAX_ROWS + 1,
    )
    if len(rows) > MAX_ROWS:
        raise wrong("?to", f"this period has more than {MAX_ROWS:,} referrals; ask for shorter ones")
    return measures.rows_of(dict(row) for row in rows)


async def _measured(request: Request, asked: Asked) -> list[measures.Measured]:
    rows = await _rows(request, asked)
    targets = asked.contract.targets
    found = [measures.measure(id, rows, asked.as_of, targets) for id in measures.definitions()]
    if asked.contract.payer == principal_of(request).organization:
        return found
    return [measures.suppressed(m) for m in found] if principal_of(request).type == "state" else found


async def _counted(request: Request, asked: Asked) -> list[measures.Counted]:
    definition = measures.definitions().get(request.path_params["measure"])
    if definition is None:
        raise not_found()
    return measures.counted(definition, await _rows(request, asked), asked.as_of)
