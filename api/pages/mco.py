"""The plan's pages: funnel, measures, members, and the referrals behind each number.

Comes in: requests of a plan behind the guard. Goes out: pages; figures come from the log through referrals.measures,
the same rows for the drawing, the tables and the lists.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from api import cursors
from api.context import principal_of
from api.measures import Asked, fetched, measuring
from api.pages import clinic_models, plan_models, when
from api.pages.render import page
from api.pages.show import Model, Show
from api.pages.visit import PAGE, SQL, cut, opened, position, show_for, turned, visible
from api.problems import not_found
from referrals import measures
from referrals.check import parse_date
from referrals.contracts import Contract, contracts

DAYS = timedelta(days=90)


class Period(NamedTuple):
    """A contract and the days of receipt, both included, as asked for or the last 90 days."""

    contract: Contract
    first: date
    last: date
    as_of: datetime

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """From the first instant of the first day until the first of the day after the last, where people are."""
        return when.start_of(self.first), when.start_of(self.last + timedelta(days=1))

    @property
    def span(self) -> dict[str, str]:
        """The same as this page's query."""
        return {
            "contract": self.contract.id,
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
        }

    def csv(self, measure: str = "") -> str:
        """The API's CSV of the same period: of all measures, or of the referrals behind one."""
        start, end = self.bounds
        query = {"from": start.astimezone(UTC).isoformat(), "to": end.astimezone(UTC).isoformat()}
        tail = f"/{measure}/referrals" if measure else ""
        query = {k: v.replace("+00:00", "Z") for k, v in query.items()}
        return f"/v1/contracts/{self.contract.id}/measures{tail}.csv?{urlencode(query)}"


async def plan(request: Request) -> Response:
    """Funnel, measures, needs, and the members' referrals."""
    principal = principal_of(request)
    period = _period(request)
    start, end = period.bounds
    async with measuring(request) as connection:
        rows = await _rows(connection, period)
        found = await connection.fetch(
            SQL["members"],
            principal.organization,
            period.contract.id,
            start,
            end,
            *position(request),
            PAGE + 1,
        )
    found, last = cut(found)
    show, shown = await show_for(request), visible(request, found)
    model = plan_models.plan(show, period.contract.title, period.span, rows) | {
        "csv_href": period.csv(),
        "contracts": [{"code": c.id, "label": c.title} for c in _own(principal.organization)],
        "measures": [_tile(show, period, id, rows) for id in measures.definitions()] if rows else [],
        "rows": plan_models.members(show, shown),
        **show.beside(*shown),
        **turned(request, last),
    }
    return page(request, "mco_plan.html", model)


async def behind(request: Request) -> Response:
    """The referrals behind one measure."""
    id, period = request.path_params["measure"], _period(request)
    if (definition := measures.definitions().get(id)) is None:
        raise not_found()
    start = max(cursors.decode(request.query_params.get("cursor"), int) or 0, 0)
    async with measuring(request) as connection:
        rows = await _rows(connection, period)
        counted = measures.counted(definition, rows, period.as_of)
        shown = counted[start : start + PAGE]
        found = await connection.fetch(SQL["these"], [c.referral for c in shown])
    show = await show_for(request)
    links = turned(request, None)
    if start + PAGE < len(counted):
        query = period.span | {"cursor": cursors.encode(start + PAGE)}
        links["next_href"] = f"{request.url.path}?{urlencode(query)}"
    tile = _tile(show, period, id, rows)
    model = plan_models.behind(show, tile, period.span, shown, visible(request, found), links)
    return page(request, "mco_list.html", model)


async def one(request: Request) -> Response:
    """One member's referral, as the plan may see it."""
    o = await opened(request, "payer", "payer-without-consent", "payer-before", "sender")
    model = clinic_models.detail(o.show, o.view, o.events, None, plan_models.BASE, "/mco")
    return page(request, "clinic_referral.html", model)


def _tile(show: Show, period: Period, id: str, rows: list[measures.Row]) -> Model:
    measured = measures.measure(id, rows, period.as_of, period.contract.targets)
    return plan_models.tile(show, measured, measures.definitions()[id], period.span, period.csv(id))


async def _rows(connection: asyncpg.Connection, period: Period) -> list[measures.Row]:
    start, end = period.bounds
    contract = period.contract
    found = await fetched(connection, Asked(contract, start, end, period.as_of))
    return [row for row in found if not row.in_error]


def _own(organization: str) -> list[Contract]:
    return [c for c in contracts().values() if c.payer == organization]


def _period(request: Request) -> Period:
    """The contract and days of the query; nonsense falls back to the first contract and the last 90 days."""
    own: dict[str, Any] = {c.id: c for c in _own(principal_of(request).organization)}
    if not own:
        raise not_found()
    now = datetime.now(UTC)
    contract = own.get(request.query_params.get("contract", "")) or next(iter(own.values()))
    today = when.local_day(now)
    first = parse_date(request.query_params.get("from", "")) or today - DAYS
    last = parse_date(request.query_params.get("to", "")) or today
    first, last = (max(date(1970, 1, 2), min(d, date(9000, 1, 1))) for d in (first, last))
    return Period(contract, min(first, last), last, now)
