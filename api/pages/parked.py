"""Which referrals of a hub are held up because we failed: it is told, and who mends it is the operator.

Comes in: parked records of referrals that the hub reviews. Goes out: sentences above the queue.
"""

from api.pages import when
from api.pages.show import Show, View
from api.pages.visit import SQL
from api.principal import Principal
from infra.postgres import Connection


async def held_up(connection: Connection, hub: Principal) -> list[View]:
    """The hub's referrals held up longest, twenty at most."""
    return [dict(r) for r in await connection.fetch(SQL["held_up"], hub.organization)]


def sentences(show: Show, rows: list[View]) -> list[str]:
    """What is said of each."""
    found = [(row["id"], when.moment(show.text, row["since"], show.now)) for row in rows]
    return [show.text("parked.hub", id=id, when=moment["relative"]) for id, moment in found if moment]
