"""What `--demo` adds: the demo participants of interfaces.md, and the demo directory through its topic.

Must never be used by `refex up` without --demo.
"""

import asyncio

import asyncpg

from cli.exchange import RunningExchange
from cli.import_directory import SQL, load
from cli.keeping import Keeping
from infra import participants
from infra.participants import Participant
from producers import demo_directory
from referrals.words import OrganizationType as T

# id, name, type, and who logs in: (mailbox, name, role)
ORGANIZATIONS: tuple[tuple[str, str, T, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "riverside-clinic",
        "Riverside Clinic",
        T.CLINIC,
        (("nora", "Nora Quist", "staff"), ("eli", "Eli Marsh", "admin")),
    ),
    ("lakeview-health", "Lakeview Health", T.CLINIC, (("iris", "Iris Tan", "staff"),)),
    (
        "golden-health-plan",
        "Golden Health Plan",
        T.MCO,
        (("omar", "Omar Reyes", "care-manager"), ("lena", "Lena Ott", "analyst")),
    ),
    ("valley-care-plan", "Valley Care Plan", T.MCO, (("june", "June Park", "care-manager"),)),
    ("county-hub", "County Community Hub", T.HUB, (("maya", "Maya Flores", "navigator"),)),
    ("state-health-office", "State Health Office", T.STATE, (("theo", "Theo Lind", "officer"),)),
    ("exchange-operator", "Exchange Operator", T.OPERATOR, (("alex", "Alex Kim", "operator"),)),
)
FEATURED = ("harvest-food-bank", "safe-harbor-housing", "open-road-rides")
"""Listed first among the community organizations, so that their log-ins are the ones printed."""

LOADED_S = 120.0


def demo_participants(keeping: Keeping) -> tuple[Participant, ...]:
    """The demo's organizations with new secrets, for those that are not kept yet."""
    known = {p.id for p in keeping.participants()}
    wanted = [
        (id, name, kind, [(f"{box}@{id}.example.org", person, role) for box, person, role in people])
        for id, name, kind, people in ORGANIZATIONS
    ]
    wanted += [
        (row["id"], row["name"], T.CBO, [(f"intake@{row['id']}.example.org", "Intake desk", "staff")])
        for row in sorted(demo_directory.table(), key=lambda row: row["id"] not in FEATURED)
    ]
    return tuple(participants.draft(*one) for one in wanted if one[0] not in known)


async def load_directory(exchange: RunningExchange) -> None:
    """Import the demo directory if the database has not all of it, and wait until it is in force."""
    url = exchange.services.postgres.url
    directory = demo_directory.services()
    sent = len((await load(url, exchange.admin, directory, whole=False)).changed)
    if not sent:
        return
    exchange.plan.progress(f"directory: {sent} services sent")
    connection = await asyncpg.connect(url, timeout=5)
    try:
        async with asyncio.timeout(LOADED_S):
            while (await connection.fetchval(SQL["services_count"])) < len(directory.services):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        await connection.close()
    exchange.plan.progress("directory: in force")
