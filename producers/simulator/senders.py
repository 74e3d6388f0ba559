"""Who sends: a clinic by FHIR, a clinic by JSON, a plan by its own Kafka login; one `send` each.

Comes in: a synthetic submission. Goes out: a referral on the exchange. Must never send a real person's data.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from msgspec import Struct

from infra.participants import Participant
from producers.exchange_client import ExchangeClient
from producers.people import as_fhir_bundle
from producers.publisher import ReferralPublisher
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
        )


class Sender(Protocol):
    """One organization that sends referrals."""

    async def send(self, submission: Json) -> None:
        """Send one; returns when the exchange has it."""


class ClinicByFhir:
    """A clinic's EHR: a transaction Bundle to POST /fhir."""

    def __init__(self, client: ExchangeClient) -> None:
        self._client = client

    async def send(self, submission: Json) -> None:
        """Post the Bundle."""
        await self._client.post("/fhir", as_fhir_bundle(submission), "application/fhir+json")


class ClinicByJson:
    """A clinic's own software: POST /v1/referrals."""

    def __init__(self, client: ExchangeClient) -> None:
        self._client = client

    async def send(self, submission: Json) -> None:
        """Post the submission."""
        await self._client.post("/v1/referrals", submission)


class PlanByKafka:
    """A plan: Avro on its own intake topic, for its own members."""

    def __init__(self, organization: str, publisher: ReferralPublisher) -> None:
        self._organization = organization
        self._publisher = publisher

    async def send(self, submission: Json) -> None:
        """Publish the submission."""
        coverage = {"payer": self._organization, "member_id": f"M-{submission['person']['person_id']}"}
        await self._publisher.submit(submission | {"coverage": coverage, "requested_by": "plan"})


@asynccontextmanager
async def senders(site: Site, members: list[Participant]) -> AsyncIterator[list[Sender]]:
    """A sender for each clinic (by FHIR and JSON in turn) and each plan, with open connections."""
    async with AsyncExitStack() as stack:
        found: list[Sender] = []
        clinics = [m for m in members if m.type is OrganizationType.CLINIC]
        for number, clinic in enumerate(clinics):
            client = await stack.enter_async_context(site.client(clinic))
            found.append(ClinicByJson(client) if number % 2 else ClinicByFhir(client))
        for plan in (m for m in members if m.type is OrganizationType.MCO):
            publisher = await stack.enter_async_context(site.publisher(plan))
            found.append(PlanByKafka(plan.id, publisher))
        yield found


def dated(submission: Json) -> Json:
    """The submission as asked for now."""
    return submission | {"requested_at": datetime.now(UTC).isoformat(timespec="seconds")}
