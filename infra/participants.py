"""Organizations on the exchange: their row, topics, Kafka login, OAuth client and people.

Comes in: who they are. Goes out: their credentials, once, in clear; only hashes are stored. Must never give an
organization more than its type may do.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import asyncpg
from msgspec import Struct

from infra import kafka_access, passwords, roles, topics
from infra.kafka import KafkaLogin
from infra.postgres import affected, queries
from infra.scopes import KAFKA_TYPES, scope_of
from referrals.words import OrganizationType

SQL = queries("infra", "participants.sql")
ID = re.compile(r"[a-z][a-z0-9-]{1,58}[a-z0-9]")
RESERVED = ("api", "admin", "controller", "refex")
ADDRESS = re.compile(r"[^@\s\"<>,;]{1,64}@[^@\s\"<>,;]{1,180}")


class ParticipantError(ValueError):
    """The organization cannot be added or changed as asked; the message says what to do."""


class KafkaUser(Struct, frozen=True):
    username: str
    password: str


class Client(Struct, frozen=True):
    client_id: str
    client_secret: str
    scope: str


class User(Struct, frozen=True):
    email: str
    password: str
    role: str
    name: str = ""


class Participant(Struct, frozen=True, kw_only=True):
    """One organization with its credentials in clear: what the ready file lists and `participant add` prints."""

    id: str
    name: str
    type: OrganizationType
    kafka: KafkaUser | None = None
    clients: list[Client] = []
    users: list[User] = []


def draft(
    organization: str, name: str, kind: OrganizationType, people: Sequence[tuple[str, str, str | None]] = ()
) -> Participant:
    """A participant with new secrets; `people` are (email, name, role). Raises ParticipantError."""
    if not ID.fullmatch(organization) or organization.startswith(RESERVED):
        raise ParticipantError(
            f"{organization!r} cannot be an organization's id; use 3 to 60 lower-case letters, digits and hyphens, "
            f"beginning with a letter and not with {', '.join(RESERVED)}"
        )
    client = Client(f"{organization}-client", passwords.new_secret(), scope_of(kind))
    return Participant(
        id=organization,
        name=name,
        type=kind,
        kafka=KafkaUser(organization, passwords.new_secret()) if kind in KAFKA_TYPES else None,
        clients=[client],
        users=[
            User(email, passwords.new_password(), checked_role(kind, email, role), person)
            for email, person, role in people
        ],
    )


def checked_role(kind: OrganizationType, email: str, role: str | None) -> str:
    """The role that an address gets, the type's usual one when none is said. Raises ParticipantError."""
    if not ADDRESS.fullmatch(email):
        raise ParticipantError(f"{email!r} is no e-mail address; write it as name@example.org")
    wanted = role or roles.names(kind)[0]
    if not roles.known(kind, wanted):
        names = ", ".join(roles.names(kind))
        raise ParticipantError(f"a {kind.value} has no role {wanted!r}; choose one of {names}")
    return wanted


def unknown(organization: str) -> ParticipantError:
    """What to say of an organization that is none of ours."""
    return ParticipantError(f"there is no organization {organization}; see `refex participant list`")


async def type_of(connection: asyncpg.Connection, organization: str) -> OrganizationType:
    """What it is to the exchange. Raises ParticipantError."""
    row = await connection.fetchrow(SQL["organization"], organization)
    if row is None:
        raise unknown(organization)
    return OrganizationType(row["type"])


async def enrol(
    connection: asyncpg.Connection, login: KafkaLogin, partitions: int, participants: Sequence[Participant]
) -> list[str]:
    """Add those that are not there yet, topics and logins first, the row last; returns the ids added.

    Safe to run again with the same participants after a crash. `connection` is the owner's.
    """
    known = {row["id"] for row in await connection.fetch(SQL["organizations"])}
    new = [p for p in participants if p.id not in known]
    logins = {p.id: p.kafka for p in participants if p.kafka is not None}
    await topics.apply(login, partitions, list(logins))
    users = {k.username: (k.password, kafka_access.participant_grants(id)) for id, k in logins.items()}
    await kafka_access.allow_all(login, users)
    hashed = await asyncio.gather(*(asyncio.to_thread(_hash_all, p.users) for p in new))
    for participant, hashes in zip(new, hashed, strict=True):
        async with connection.transaction():
            await _insert(connection, participant, hashes)
    return [p.id for p in new]


async def listing(connection: asyncpg.Connection) -> list[dict[str, Any]]:
    """Every organization, without a secret."""
    return [dict(row) for row in await connection.fetch(SQL["organizations"])]


async def rotate(connection: asyncpg.Connection, login: KafkaLogin, organization: str) -> Participant:
    """New Kafka password and client secrets; old tokens end at once. Raises ParticipantError."""
    row = await connection.fetchrow(SQL["organization"], organization)
    if row is None:
        raise ParticipantError(f"no organization {organization!r}; see `refex participant list`")
    clients = [
        Client(c["client_id"], passwords.new_secret(), c["scope"])
        for c in await connection.fetch(SQL["clients"], organization)
    ]
    kafka = None
    if row["kafka_username"]:
        kafka = KafkaUser(row["kafka_username"], passwords.new_secret())
        await kafka_access.set_password(login, kafka.username, kafka.password)
    async with connection.transaction():
        for client in clients:
            await _upsert_client(connection, organization, client)
        await connection.execute(SQL["end_tokens"], organization)
    kind = OrganizationType(row["type"])
    return Participant(id=organization, name=row["name"], type=kind, kafka=kafka, clients=clients)


async def _insert(connection: asyncpg.Connection, p: Participant, hashes: Sequence[str]) -> None:
    username = p.kafka.username if p.kafka else None
    await connection.execute(SQL["insert_organization"], p.id, p.name, p.type.value, username)
    for client in p.clients:
        await _upsert_client(connection, p.id, client)
    for user, hashed in zip(p.users, hashes, strict=True):
        values = (uuid4(), p.id, user.email, user.name or user.email, user.role, hashed)
        if affected(await connection.execute(SQL["upsert_user"], *values)) == 0:
            raise ParticipantError(f"{user.email} belongs to another organization; use another address")


async def _upsert_client(connection: asyncpg.Connection, organization: str, client: Client) -> None:
    hashed = passwords.hash_secret(client.client_secret)
    values = (client.client_id, organization, hashed, client.scope)
    if affected(await connection.execute(SQL["upsert_client"], *values)) == 0:
        raise ParticipantError(f"client {client.client_id} belongs to another organization; use another id")


def _hash_all(users: Sequence[User]) -> list[str]:
    return [passwords.hash_password(user.password) for user in users]
