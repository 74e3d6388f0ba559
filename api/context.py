"""What a handler may reach: settings, database, producer, changes, limits; one per application, made in app.py.

Must never hold anything about a referral except the ids of what was just submitted.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from starlette.requests import Request

from api import id_token
from api.audit import Audit
from api.changes import Changes
from api.database import Database
from api.deeds import Deeds
from api.descriptions import Descriptions
from api.intake import Intake
from api.key_sets import KeySets
from api.limits import Limits
from api.mail import Mail
from api.principal import Principal
from api.readiness import Readiness
from api.streams import Streams
from infra.kafka import KafkaLogin
from infra.settings import Settings
from infra.vault.vault import vault_of
from producers.envelope import Record

RECENT_S = 120.0
MAX_RECENT = 20_000


class Sender(Protocol):
    """What the API needs of producers.producer.RecordProducer."""

    async def send(self, records: Sequence[Record]) -> object:
        """Send all and wait until the broker has all; raises BrokerAway."""

    async def close(self) -> None:
        """Flush and close."""


class Recent:
    """Referrals this process has published and the exchange may not have recorded yet: they are `received`."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, UUID], tuple[float, str]] = OrderedDict()

    def add(self, organization: str, referral: UUID, sender_referral_id: str) -> None:
        """Remember for two minutes that the broker has it."""
        self._seen[organization, referral] = (time.monotonic() + RECENT_S, sender_referral_id)
        self._seen.move_to_end((organization, referral))
        if len(self._seen) > MAX_RECENT:
            self._seen.popitem(last=False)

    def get(self, organization: str, referral: UUID) -> str | None:
        """The sender's own id of a referral that was just submitted, None for any other."""
        until, sender_referral_id = self._seen.get((organization, referral), (0.0, ""))
        return sender_referral_id if until > time.monotonic() else None


class Context:
    """Everything a request needs beyond itself."""

    def __init__(self, settings: Settings, database: Database, kafka: KafkaLogin, producer: Sender) -> None:
        self.settings = settings
        self.database = database
        self.kafka = kafka
        self.producer = producer
        self.changes = Changes(database)
        self.limits = Limits()
        self.audit = Audit(database)
        self.deeds = Deeds(database)
        self.mail = Mail(settings, database)
        self.streams = Streams()
        self.measuring = asyncio.Semaphore(2)  # each reads up to 100,000 referrals into memory
        self.readiness = Readiness(database.url, kafka)
        self.key_sets = KeySets()
        self.provider_keys = KeySets(id_token.CURVES)
        self.descriptions = Descriptions()
        self.recent = Recent()
        self.vault = vault_of(settings)
        self.intake = Intake(database)

    @property
    def secure(self) -> bool:
        """Whether people reach us over https, so that cookies may demand it."""
        return self.settings.base_url.startswith("https://")


def context(request: Request) -> Context:
    """The context of the application that serves this request."""
    found: Context = request.app.state.context
    return found


def action_of(request: Request) -> str:
    """The action of the route that serves this request, as policy.ACTIONS names it."""
    found: str = request.state.action
    return found


def principal_of(request: Request) -> Principal:
    """The caller of a route that has one."""
    found: Principal = request.state.principal
    return found
