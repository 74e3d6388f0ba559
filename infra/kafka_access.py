"""Kafka logins and what each may do: SCRAM users and ACLs, set by an administrator.

Comes in: a user and a list of grants. Goes out: nothing but the broker's state. Must never grant more than the
table of docs says: a participant reaches its own two topics, and the exchange's parts what they work with.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, admin

from avro_schemas import topics
from infra.kafka import KafkaLogin
from infra.topics import administrator

kafka: Any = admin  # its type hints are incomplete
TIMEOUT_S = 20.0
MECHANISMS = {
    "SCRAM-SHA-256": kafka.ScramMechanism.SCRAM_SHA_256,
    "SCRAM-SHA-512": kafka.ScramMechanism.SCRAM_SHA_512,
}
ITERATIONS = 4096
EVERY = kafka.AclBindingFilter(
    kafka.ResourceType.ANY,
    None,
    kafka.ResourcePatternType.ANY,
    None,
    None,
    kafka.AclOperation.ANY,
    kafka.AclPermissionType.ANY,
)


class AccessError(RuntimeError):
    """The broker did not take a login or an ACL; the message says what to do."""


class Grant(NamedTuple):
    """One thing a login may do: `what` is topic, group or cluster; a name ending in `*` is a prefix."""

    what: str
    name: str
    operation: str


def participant_grants(organization: str) -> list[Grant]:
    """Its own intake topic to write, its own feedback topic to read, and groups under its own name."""
    groups = (f"feedback.{organization}", f"feedback.{organization}.*", organization, f"{organization}.*")
    return [
        Grant("topic", topics.intake(organization), "describe"),
        Grant("topic", topics.intake(organization), "write"),
        Grant("topic", topics.feedback(organization), "describe"),
        Grant("topic", topics.feedback(organization), "read"),
        *(Grant("group", group, "read") for group in groups),
    ]


WRITTEN_BY_API = (topics.INTAKE_API, topics.RESPONSE, topics.CONSENT, topics.PERSON, topics.DIRECTORY)
WRITTEN_BY_WORKER = (
    topics.REFERRAL_EVENT,
    topics.EXCHANGE_EVENT,
    "feedback.*",
    topics.DEAD_LETTER,
    topics.TIMER,
    topics.COVERAGE,
    topics.PERSON,
)


def internal_grants() -> dict[str, list[Grant]]:
    """The exchange's own logins: the API writes what it vouches for, the worker reads intake and writes facts."""
    api = [Grant("topic", name, "write") for name in WRITTEN_BY_API]
    worker = [
        Grant("topic", name, "read")
        for name in dict.fromkeys(["intake.*", *topics.consumed(), *WRITTEN_BY_WORKER])
    ]
    worker += [Grant("topic", name, "write") for name in WRITTEN_BY_WORKER]
    worker += [Grant("group", "refex*", "read")]
    shared = [Grant("topic", "*", "describe"), Grant("cluster", "kafka-cluster", "describe")]
    return {"refex-api": api + shared, "refex-worker": worker + shared}


async def allow(login: KafkaLogin, username: str, password: str, grants: Iterable[Grant]) -> None:
    """Make the login (or give it this password) and let it do these things. Raises AccessError."""
    await allow_all(login, {username: (password, list(grants))})


async def allow_all(login: KafkaLogin, users: dict[str, tuple[str, list[Grant]]]) -> None:
    """The same for several logins at once. Raises AccessError."""
    await asyncio.to_thread(_allow_all, login, users)


async def set_password(login: KafkaLogin, username: str, password: str) -> None:
    """Give a login a new password; sessions that are open go on until they reconnect. Raises AccessError."""
    await asyncio.to_thread(_allow_all, login, {username: (password, [])})


async def acls(login: KafkaLogin) -> dict[str, int]:
    """User -> how many ACLs it has. Raises AccessError."""
    return await asyncio.to_thread(_acls, login)


def _allow_all(login: KafkaLogin, users: dict[str, tuple[str, list[Grant]]]) -> None:
    broker = administrator(login)
    kind = kafka.ScramCredentialInfo(MECHANISMS[login.mechanism], ITERATIONS)
    bindings = [_binding(user, grant) for user, (_, grants) in users.items() for grant in grants]
    if bindings:
        _done(broker.create_acls(bindings, request_timeout=TIMEOUT_S))
    credentials = [
        kafka.UserScramCredentialUpsertion(user, kind, password.encode())
        for user, (password, _) in users.items()
    ]
    if credentials:
        _done(broker.alter_user_scram_credentials(credentials, request_timeout=TIMEOUT_S))


def _acls(login: KafkaLogin) -> dict[str, int]:
    broker = administrator(login)
    try:
        found = broker.describe_acls(EVERY, request_timeout=TIMEOUT_S).result(TIMEOUT_S)
    except KafkaException as error:
        raise AccessError(
            f"the ACLs cannot be read: {error.args[0].str()}; use an administrator's login"
        ) from error
    counts: dict[str, int] = {}
    for binding in found:
        user = binding.principal.removeprefix("User:")
        counts[user] = counts.get(user, 0) + 1
    return counts


def _binding(user: str, grant: Grant) -> kafka.AclBinding:
    kind = {
        "topic": kafka.ResourceType.TOPIC,
        "group": kafka.ResourceType.GROUP,
        "cluster": kafka.ResourceType.BROKER,
    }[grant.what]
    prefixed = grant.name.endswith("*") and grant.name != "*"
    return kafka.AclBinding(
        kind,
        grant.name.removesuffix("*") if prefixed else grant.name,
        kafka.ResourcePatternType.PREFIXED if prefixed else kafka.ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        kafka.AclOperation[grant.operation.upper()],
        kafka.AclPermissionType.ALLOW,
    )


def _done(futures: dict[Any, Any]) -> None:
    for asked, future in futures.items():
        try:
            future.result(TIMEOUT_S)
        except KafkaException as error:
            raise AccessError(
                f"the broker refused {asked}: {error.args[0].str()}; use an administrator's login"
            ) from error
