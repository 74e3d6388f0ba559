"""An organization's own identity provider (OpenID Connect): where its people log in with the account they have there.

Comes in: the owner's connection, what the provider was registered with. Goes out: a row. Must never take an address
that is not https, except on this machine itself, nor a domain that is none.
"""

import re
from collections.abc import Sequence

import asyncpg
from msgspec import Struct

from infra import addresses
from infra.participants import ParticipantError, type_of
from infra.postgres import queries

SQL = queries("infra", "identity_providers.sql")
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


class Provider(Struct, frozen=True):
    """What an organization registered with its provider, and whose addresses it may vouch for."""

    issuer: str
    client_id: str
    client_secret: str
    domains: Sequence[str]


async def set_provider(connection: asyncpg.Connection, organization: str, provider: Provider | None) -> None:
    """Let people of the organization log in there; None: not any more. Raises ParticipantError."""
    await type_of(connection, organization)
    if provider is None:
        await connection.execute(SQL["end"], organization)
        return
    if not addresses.secure(provider.issuer) or provider.issuer.endswith("/.well-known/openid-configuration"):
        raise ParticipantError("the issuer must be an https URL, without /.well-known/openid-configuration")
    if not provider.client_secret or not provider.client_id:
        raise ParticipantError("give the client id and the secret that the provider registered for us")
    domains = [domain.lower() for domain in provider.domains]
    if not domains or not all(map(DOMAIN.fullmatch, domains)):
        raise ParticipantError("say whose addresses the provider vouches for: --domain clinic.example.org")
    values = (organization, provider.issuer, provider.client_id, provider.client_secret, domains)
    await connection.execute(SQL["set"], *values)
