"""Which services are paused because they left requests unanswered: a CBO is told of its own, the hub of all.

Comes in: service records of one organization, or of all. Goes out: sentences above the inbox or queue.
"""

from collections.abc import Iterable

from api.pages.show import Show, View
from api.pages.visit import SQL
from infra.postgres import Connection
from referrals.wanted import policy


async def paused(connection: Connection, organization: str | None) -> list[View]:
    """The paused services of an organization, or for a hub of all (None); twenty at most."""
    return [
        dict(r) for r in await connection.fetch(SQL["paused"], policy().pause_after_expiries, organization)
    ]


def sentences(show: Show, rows: Iterable[View], own: bool) -> list[str]:
    """What is said of each: to its own organization what to do, to the hub whose it is."""
    n = policy().pause_after_expiries
    if own:
        return [show.text("paused.own", service=row["name"], n=n) for row in rows]
    return [
        show.text("paused.hub", service=row["name"], organization=show.organization(row["organization"]), n=n)
        for row in rows
    ]
