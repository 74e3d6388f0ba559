"""The exchange's key of the day, fetched when a session begins: what the SDK seals personal data to.

Comes in: the exchange's address. Goes out: a Session, a new one each day. Must never fall back to sending in the clear.
"""

import asyncio
import base64
import binascii
from datetime import UTC, datetime, timedelta

import httpx
import msgspec

from infra.vault.travel import Session

PATH = "/.well-known/refex-intake-key"
TIMEOUT_S = 10.0
AGAIN = timedelta(hours=1)
"""A session is used a while beyond its key's day if the exchange cannot be asked; its key is kept for days."""


class KeyAway(ConnectionError):
    """The exchange's key cannot be had; nothing was sent. Try again, or check the address."""


class _Told(msgspec.Struct):
    id: str
    algorithm: str
    public_key: str
    use_until: datetime


class SealingKey:
    """One producer's session with the exchange at an address."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + PATH
        self._session: Session | None = None
        self._until = datetime.min.replace(tzinfo=UTC)
        self._lock = asyncio.Lock()

    async def session(self) -> Session:
        """The session of now. Raises KeyAway."""
        async with self._lock:
            now = datetime.now(UTC)
            if self._session is None or now >= self._until:
                try:
                    self._session, self._until = await self._begun()
                except KeyAway:
                    if self._session is None or now >= self._until + AGAIN:
                        raise
            return self._session

    async def _begun(self) -> tuple[Session, datetime]:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
                answer = await http.get(self._url)
            answer.raise_for_status()
            told = msgspec.json.decode(answer.content, type=_Told)
            return Session(bytes.fromhex(told.id), base64.b64decode(told.public_key)), told.use_until
        except (httpx.HTTPError, msgspec.DecodeError, binascii.Error, ValueError) as error:
            raise KeyAway(
                f"{self._url} tells no key ({type(error).__name__}); is it the exchange?"
            ) from error
