"""The SDK a clinic's or a plan's engineer installs: referrals, and a plan's coverage, on one's own intake topic.

Comes in: submissions, typed or as JSON. Goes out: acknowledged records. Must never send what `check` refuses, nor
make a second referral of one that is sent again.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from infra.kafka import KafkaLogin
from infra.vault.travel import Session
from producers import envelope
from producers.envelope import Record, Said
from producers.producer import BrokerAway, NotPermitted, RecordProducer
from producers.sealing_key import KeyAway, SealingKey
from referrals import check, ids, words
from referrals.check import Invalid, Problem
from referrals.submission import Submission

__all__ = ["BrokerAway", "Invalid", "KeyAway", "NotPermitted", "Published", "ReferralPublisher", "Submission"]

FIRST_BACKOFF_S = 0.1
LAST_BACKOFF_S = 3.0


class Published(NamedTuple):
    """A referral the broker has: its id on the exchange, the event's id, and where it is in the log."""

    id: UUID
    event_id: UUID
    topic: str
    partition: int
    offset: int


class ReferralPublisher:
    """Publishes one organization's referrals; safe to call from many tasks.

    Sending the same submission again has no effect; the same `sender_referral_id` with another body amends it.

        async with ReferralPublisher(
            bootstrap="kafka.example.org:9093", organization="bay-clinic", username="bay-clinic", password=secret,
            url="https://exchange.example.org",
        ) as publisher:
            sent = await publisher.submit({
                "sender_referral_id": "R-1001",
                "person": {"person_id": "P-7", "given_name": "Ana", "family_name": "Ruiz", "birth_date": "1980-02-01"},
                "need": {"domain": "food-insecurity"},
                "consent": {"status": "active"},
            })
            print(sent.id)
    """

    def __init__(
        self,
        *,
        bootstrap: str,
        organization: str,
        username: str | None = None,
        password: str | None = None,
        security_protocol: str | None = None,
        mechanism: str = "SCRAM-SHA-256",
        ca_file: str | None = None,
        deadline_s: float = 60.0,
        url: str | None = None,
    ) -> None:
        """`security_protocol` is SASL_SSL unless the broker is on this machine; `deadline_s` bounds the retries.

        `url`: the exchange's address; personal data is sealed to the key it tells, so that the broker cannot read it.
        """
        self.organization = organization
        self._deadline_s = deadline_s
        self._sealing = SealingKey(url) if url else None
        login = participant_login(bootstrap, username, password, security_protocol, mechanism, ca_file)
        self._producer = RecordProducer(login, client_id=f"{organization}-publisher")

    async def __aenter__(self) -> "ReferralPublisher":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def submit(self, submission: Submission | dict[str, Any], revision: str = "") -> Published:
        """Publish one referral; returns when the broker has it. Raises Invalid, BrokerAway or NotPermitted."""
        return (await self.submit_many([submission], revision))[0]

    async def submit_many(
        self, submissions: Iterable[Submission | dict[str, Any]], revision: str = ""
    ) -> list[Published]:
        """Publish all or, when one of them is invalid, none; a body with `needs` is one referral for each."""
        now = datetime.now(UTC)
        checked = [one for body in submissions for one in _checked(body, now)]
        session = await self._session()
        records = [self._submitted(one, now, revision, session) for one in checked]
        return await self._send([one.sender_referral_id for one in checked], records)

    async def amend(self, submission: Submission | dict[str, Any], revision: str = "") -> Published:
        """Send a referral again with another body. Going back to an earlier body needs a new `revision`."""
        return await self.submit(submission, revision)

    async def cancel(self, sender_referral_id: str, reason: str, note: str = "") -> Published:
        """Take a referral back; `reason` is a code of referrals/data/cancel_reasons.json. Raises as `submit`."""
        if reason not in words.table("cancel_reasons"):
            known = ", ".join(words.table("cancel_reasons"))
            raise Invalid([Problem("/reason", f"unknown cancel reason; use one of {known}")])
        event = ids.event_id(self.organization, "cancel", sender_referral_id, reason, _digest(note.encode()))
        said = Said(event, self.organization, datetime.now(UTC), session=await self._session())
        return (
            await self._send(
                [sender_referral_id], [envelope.cancelled(said, sender_referral_id, reason, note)]
            )
        )[0]

    async def cover(
        self,
        member_id: str,
        first: date,
        last: date | None = None,
        *,
        spell: str = "",
        person_id: str | None = None,
    ) -> Published:
        """Say, as a plan, from which day to which (both included, None = open) a member is covered.

        Under the same `spell` (else the first day) the days are changed; a spell that ends before it begins never
        was. Raises Invalid, BrokerAway or NotPermitted.
        """
        if not member_id.strip() or len(member_id) > check.MAX_ID:
            raise Invalid([Problem("/member_id", f"send 1 to {check.MAX_ID} characters")])
        name = (member_id, spell or first.isoformat())
        spell_id = ids.event_id(self.organization, "spell", *name)
        event = ids.event_id(self.organization, "cover", *name, first.isoformat(), str(last))
        person = ids.person_key(self.organization, person_id or member_id)
        said = Said(event, self.organization, datetime.now(UTC), session=await self._session())
        record = envelope.spell(said, spell_id, person, member_id, first, last)
        (sent,) = await self._send([""], [record])
        return sent._replace(id=spell_id)

    async def close(self) -> None:
        """Wait for what is on its way and close the connection."""
        await self._producer.close()

    async def _session(self) -> Session | None:
        """To seal what is personal; None when the exchange's address was not given. Raises KeyAway."""
        if self._sealing is None:
            return None
        until, backoff = time.monotonic() + self._deadline_s, FIRST_BACKOFF_S
        while True:
            try:
                return await self._sealing.session()
            except KeyAway:
                if time.monotonic() + backoff > until:
                    raise
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))
            backoff = min(backoff * 2, LAST_BACKOFF_S)

    def _submitted(
        self, submission: Submission, now: datetime, revision: str, session: Session | None
    ) -> Record:
        event = event_id(self.organization, submission, revision)
        return envelope.submitted(Said(event, self.organization, now, session=session), submission)

    async def _send(self, sender_ids: Sequence[str], records: Sequence[Record]) -> list[Published]:
        """Send until the broker has all, or the deadline passes; sending twice is harmless."""
        until = time.monotonic() + self._deadline_s
        backoff = FIRST_BACKOFF_S
        while True:
            try:
                placed = await self._producer.send(records)
                break
            except BrokerAway as error:
                if time.monotonic() + backoff > until:
                    raise BrokerAway(
                        f"the broker did not take the records within {self._deadline_s:.0f} s; check address and "
                        "password, then send them again: what it already has is not taken twice"
                    ) from error
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))
            backoff = min(backoff * 2, LAST_BACKOFF_S)
        return [
            Published(ids.referral_id(self.organization, sid), r.event_id, m.topic, m.partition, m.offset)
            for sid, r, m in zip(sender_ids, records, placed, strict=True)
        ]


def event_id(organization: str, submission: Submission, revision: str = "") -> UUID:
    """The same for the same body of the same organization, so that a resend is known."""
    body = _digest(envelope.submission_bytes(submission))
    parts = ("submit", submission.sender_referral_id, body, *([revision] if revision else []))
    return ids.event_id(organization, *parts)


def participant_login(
    bootstrap: str,
    username: str | None,
    password: str | None,
    security_protocol: str | None,
    mechanism: str,
    ca_file: str | None,
) -> KafkaLogin:
    """How a participant logs in, to publish and to read; without a protocol, as `protocol_for` says."""
    return KafkaLogin(
        bootstrap=bootstrap,
        security_protocol=security_protocol or protocol_for(bootstrap, username),
        mechanism=mechanism,
        username=username,
        password=password,
        ca_file=ca_file,
    )


def protocol_for(bootstrap: str, username: str | None) -> str:
    """TLS unless every broker named is on this machine; a login when there is a user."""
    hosts = {address.rpartition(":")[0].strip("[]") for address in bootstrap.split(",")}
    local = hosts <= {"localhost", "127.0.0.1", "::1"}
    return ("SASL_" if username else "") + ("PLAINTEXT" if local else "SSL")


def _checked(body: Submission | dict[str, Any], now: datetime) -> list[Submission]:
    if isinstance(body, Submission):
        return [check.submission(msgspec.to_builtins(body), now)]
    return check.submissions(body, now)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
