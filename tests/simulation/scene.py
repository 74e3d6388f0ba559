"""Who takes part in every run: two clinics, five CBOs with a service each, a hub; and the topics between them."""

from random import Random
from typing import Any
from uuid import UUID

from avro_schemas import topics
from infra.vault.kms import LocalKms
from infra.vault.vault import Vault
from producers.envelope import Record as Sent
from producers.envelope import Said, service_changed
from referrals import ids
from referrals.directory import Place, Service
from tests.simulation.database import Database
from tests.simulation.loop import START
from tests.support.referrals import COUNTY, ZIP, service

CLINICS = ("clinic-a", "clinic-b")
CBOS = ("food-a", "food-b", "food-c", "food-d", "ride-a")
HUB = "hub"
KINDS = dict.fromkeys(CLINICS, "clinic") | dict.fromkeys(CBOS, "cbo") | {HUB: "hub"}
HEARS = frozenset({"clinic-a"})
WEBHOOKS = frozenset({"food-a", "clinic-b", HUB})
COUNTED = {"food-a": 1, "food-b": 2}
"""Services of so few places that they are raced for."""
DOMAINS = dict.fromkeys(CBOS, "food-insecurity") | {"ride-a": "transportation-insecurity"}
MATCH_SECRET = b"the same in every worker of a run"
KEK = b"wraps the keys of all processes!"
PARTITIONS = 2


def organization_rows() -> list[dict[str, Any]]:
    """The rows of `organization`."""
    return [
        {
            "id": id,
            "name": id,
            "type": kind,
            "active": True,
            "kafka_username": id if id in HEARS else None,
            "webhook_url": "https://example.org/hook" if id in WEBHOOKS else None,
        }
        for id, kind in KINDS.items()
    ]


def fill(database: Database) -> None:
    """What is there before the first record."""
    for row in organization_rows():
        database.tables["organization"][row["id"],] = row
    for lane in range(ids.LANES):
        database.tables["lane"][lane,] = {"lane": lane, "seq": 0, "parked": 0}
        database.tables["relay_position"][lane,] = {"lane": lane, "next_seq": 1}
    database.tables["directory_version"][True,] = {"one": True, "version": 0}


def topic_names() -> list[str]:
    """Every topic of the run, consumed or published."""
    intake = [topics.intake(clinic) for clinic in CLINICS]
    return [*intake, *topics.shared(), *map(topics.feedback, sorted(HEARS))]


def vault(random: Random) -> Vault:
    """The persons' keys as one process reaches them; another process makes others, wrapped by the same key."""
    return Vault(LocalKms([KEK], random.randbytes), random.randbytes)


def places() -> dict[str, Place]:
    """Where the run's people live; the real list is long to search."""
    return {ZIP: Place(37.807, -122.285, COUNTY)}


def service_of(organization: str) -> Service:
    """The one service of a CBO."""
    return service(
        organization, domains=(DOMAINS[organization],), latitude=37.8 + CBOS.index(organization) / 50
    )


def service_id(organization: str) -> UUID:
    """Its id."""
    return UUID(service_of(organization).id)


def listing() -> list[Sent]:
    """The directory, as an import sends it before anything else."""
    return [
        service_changed(
            Said(ids.event_id(cbo, "listing"), cbo, START), service_of(cbo), {"id": cbo, "name": cbo}
        )
        for cbo in CBOS
    ]
