"""The pages of those who watch: the state's counts and the operator's health, read as aggregates.

Comes in: requests of a state office or the operator. Goes out: pages of counts and ids. Must never read a person.
"""

from starlette.requests import Request
from starlette.responses import Response

from api.context import context
from api.pages import watch_models
from api.pages.render import page
from api.pages.visit import SQL, show_for

TABLES = ("by_county", "by_domain", "by_status")


async def state(request: Request) -> Response:
    """Counts by county, kind of help and status, safe to publish."""
    async with context(request).database.aggregates() as connection:
        found = [{r["name"]: r["count"] for r in await connection.fetch(SQL[name])} for name in TABLES]
    return page(request, "state.html", watch_models.state(await show_for(request), *found))


async def operator(request: Request) -> Response:
    """How the exchange runs: partitions, relay, dead letters, what waits because we failed, deadlines, statuses."""
    async with context(request).database.aggregates() as connection:
        progress = await connection.fetch(SQL["progress"])
        relay = dict(await connection.fetchrow(SQL["relay"]) or {})
        dead = await connection.fetch(SQL["dead_letters"])
        dead_count = await connection.fetchval(SQL["dead_letter_count"])
        parked = await connection.fetchval(SQL["parked_count"])
        statuses = {r["name"]: r["count"] for r in await connection.fetch(SQL["by_status"])}
        overdue = await connection.fetchval(SQL["overdue"])
    model = watch_models.operator(
        await show_for(request),
        map(dict, progress),
        relay,
        map(dict, dead),
        (dead_count, parked),
        statuses,
        overdue,
    )
    return page(request, "operator.html", model)
