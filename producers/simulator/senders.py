"""Who sends: a clinic by FHIR, a clinic by JSON, a plan by its own Kafka login; one `send` each, in a ledger if asked.

Comes in: a synthetic submission. Goes out: a referral on the exchange. Must never send a real person's data.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from msgspec import Struct

from avro_schemas import topics
from infra.participants import Participant
from producers.exchange_client import ExchangeClient, Refused
from producers.ledger import Ledger
from producers.people import as_fhir_bundle
from producers.publisher import NotPermitted, Published, ReferralPublisher
from referrals.ids import referral_id
from referrals.words import OrganizationType

Json = dict[str, Any]


class Site(Struct, frozen=True, kw_only=True):
    """Where an exchange is, as its participants see it."""

    url: str
    bootstrap: str
    security_protocol: str = "SASL_PLAINTEXT"
    mechanism: str = "SCRAM-SHA-256"
    ca_file: str | None = None

    def client(self, member: Participant) -> ExchangeClient:
        """An HTTP client with that organization's own credentials."""
        return ExchangeClient(self.url, member.clients[0].client_id, member.clients[0].client_secret)

    def publisher(self, member: Participant) -> ReferralPublisher:
        """The SDK with that organization's own Kafka login."""
        if member.kafka is None:
            raise ValueError(f"{member.id} has no Kafka login")
        return ReferralPublisher(
            bootstrap=self.bootstrap,
            organization=member.id,
            username=member.kafka.username,
            password=member.kafka.password,
            security_protocol=self.security_protocol,
            mechanism=self.mechanism,
            ca_file=self.ca_file,
            url=self.url,
        )


class Sender(Protocol):
    """One organization that sends referrals, which come to `topic`."""

    organization: str
    topic: str

    async def send(self, submission: Json) -> Published | None:
        """Send one; returns when the exchange has it, and where, if the sender is told."""


class ClinicByFhir:
    """A clinic's EHR: a transaction Bundle to POST /fhir."""

    def __init__(self, organization: str, client: ExchangeClient) -> None:
        self.organization = organization
        self.topic = topics.INTAKE_API
        self._client = client

    async def send(self, submission: Json) -> Published | None:
        """Post the Bundle."""
        await self._client.post("/fhir", as_fhir_bundle(submission), "application/fhir+json")
        return None


class ClinicByJson:
    """A clinic's own software: POST /v1/referrals."""

    def __init__(self, organization: str, client: ExchangeClient) -> None:
        self.organization = organization
        self.topic = topics.INTAKE_API
        self._client = client

    async def send(self, submission: Json) -> Published | None:
        """Post the submission."""
        await self._client.post("/v1/referrals", submission)
        return None


class PlanByKafka:
    """A plan: Avro on its own intake topic, for its own members."""

    def __init__(self, organization: str, publisher: ReferralPublisher) -> None:
        self.organization = organization
        self.topic = topics.intake(organization)
        self._publisher = publisher

    async def send(self, submission: Json) -> Published | None:
        """Publish the submission."""
        coverage = {"payer": self.organization, "member_id": f"M-{submission['person']['person_id']}"}
        return await self._publisher.submit(submission | {"coverage": coverage, "requested_by": "plan"})


@asynccontextmanager
async def senders(site: Site, members: list[Participant]) -> AsyncIterator[list[Sender]]:
    """A sender for each clinic (by FHIR and JSON in turn) and each plan, with open connections."""
    async with AsyncExitStack() as stack:
        found: list[Sender] = []
        clinics = [m for m in members if m.type is OrganizationType.CLINIC]
        for number, clinic in enumerate(clinics):
            client = await stack.enter_async_context(site.client(clinic))
            found.append(ClinicByJson(clinic.id, client) if number % 2 else ClinicByFhir(clinic.id, client))
        for plan in (m for m in members if m.type is OrganizationType.MCO):
            publisher = await stack.enter_async_context(site.publisher(plan))
            found.append(PlanByKafka(plan.id, publisher))
        yield found


async def send(sender: Sender, submission: Json, ledger: Ledger | None) -> None:
    """Send one; with a ledger the intent is on disk before, and what became of it after."""
    if ledger is None:
        await sender.send(submission)
        return
    key = referral_id(sender.organization, submission["sender_referral_id"])
    seq = await ledger.intend(sender.organization, sender.topic, key)
    try:
        placed = await sender.send(submission)
    except (Refused, NotPermitted):
        await ledger.failed(seq)
        raise
    except BaseException:
        await ledger.unknown(seq)
        raise
    if placed is None:
        await ledger.acked(seq)
    else:
        await ledger.acked(seq, placed.event_id, placed.partition, placed.offset)


def dated(submission: Json) -> Json:
    """The submission as asked for now."""
    return submission | {"requested_at": datetime.now(UTC).isoformat(timespec="seconds")}
