"""What identity providers say of themselves (OpenID Connect Discovery 1.0): asked for when needed, kept briefly.

Comes in: an issuer that an operator registered. Goes out: its addresses. Must never take another issuer's description,
nor an address where secrets would travel in the clear.
"""

import asyncio
import time
from typing import Final

import msgspec

from api.fetching import FAILED, fetched
from api.id_token import NotVouched
from infra import addresses

KEEP_S: Final = 300.0
MAX_BYTES: Final = 65_536
BASIC: Final = "client_secret_basic"


class Description(msgspec.Struct, frozen=True):
    """What a provider says of itself, as far as we need it."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = (BASIC,)


class Descriptions:
    """Each provider's description, kept for five minutes."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Description]] = {}
        self._asking = asyncio.Lock()

    async def of(self, issuer: str) -> Description:
        """The description at the issuer's well-known address. Raises NotVouched."""
        async with self._asking:
            until, kept = self._kept.get(issuer, (0.0, None))
            if kept is None or until < time.monotonic():
                kept = await _described(issuer)
                self._kept[issuer] = (time.monotonic() + KEEP_S, kept)
            return kept


async def _described(issuer: str) -> Description:
    url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    try:
        found = msgspec.json.decode(await fetched(url, MAX_BYTES), type=Description)
    except (*FAILED, msgspec.DecodeError) as error:
        raise NotVouched(f"no description: {type(error).__name__}") from None
    if found.issuer != issuer:
        raise NotVouched("the description is another issuer's")
    for named in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
        if not addresses.secure(named) or (addresses.local(named) and not addresses.local(issuer)):
            raise NotVouched("the description names an address that is not secure")
    return found
