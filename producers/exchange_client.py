"""An HTTP client of the exchange for one organization: gets its token by client credentials and renews it.

Comes in: address, client id, and its secret or the key it signs with. Goes out: decoded JSON. Must never retry
what the exchange refused.
"""

import asyncio
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from uuid import uuid4

import httpx

from producers import signing

RENEW_BEFORE_S = 60.0
TRIES = 5


class Refused(RuntimeError):
    """The exchange answered 4xx; `status` and the message say why and what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ExchangeClient:
    """`async with ExchangeClient(url, client_id, client_secret) as client: await client.get("/v1/me")`."""

    def __init__(
        self, url: str, client_id: str, proof: str | signing.PrivateKey, timeout_s: float = 10.0
    ) -> None:
        self._client_id = client_id
        self._proof = proof
        self._token_url = f"{url.rstrip('/')}/oauth/token"
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout_s, trust_env=False)
        self._token = ""
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> "ExchangeClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def token(self) -> dict[str, Any]:
        """A new access token as /oauth/token answers it. Raises Refused or httpx.HTTPError."""
        form = {"grant_type": "client_credentials"}
        if isinstance(self._proof, str):
            login = httpx.BasicAuth(self._client_id, self._proof)
            return dict(await self._answer("POST", "/oauth/token", data=form, auth=login))
        now = datetime.now(UTC)
        signed = signing.assertion(self._proof, self._client_id, self._token_url, now, uuid4())
        form |= {"client_assertion_type": signing.TYPE, "client_assertion": signed}
        return dict(await self._answer("POST", "/oauth/token", data=form))

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON at a path. Raises Refused or httpx.HTTPError."""
        return await self._authorized("GET", path, params=query)

    async def post(self, path: str, body: Any, content_type: str = "application/json") -> Any:
        """Post JSON; the decoded answer. Raises Refused or httpx.HTTPError."""
        return await self._authorized("POST", path, json=body, headers={"Content-Type": content_type})

    async def _authorized(self, method: str, path: str, **request: Any) -> Any:
        headers = request.pop("headers", {})
        for first in (True, False):
            bearer = {"Authorization": f"Bearer {await self._current(renew=not first)}"}
            try:
                return await self._answer(method, path, headers=headers | bearer, **request)
            except Refused as error:
                if error.status != 401 or not first:
                    raise
        raise AssertionError("unreachable")

    async def _current(self, renew: bool) -> str:
        async with self._lock:
            if renew or time.monotonic() > self._renew_at:
                answer = await self.token()
                self._token = str(answer["access_token"])
                self._renew_at = time.monotonic() + float(answer["expires_in"]) - RENEW_BEFORE_S
            return self._token

    async def _answer(self, method: str, path: str, **request: Any) -> Any:
        """Send it; wait and repeat while the exchange says 429 or 503, as its Retry-After asks."""
        for attempt in range(TRIES):
            response = await self._http.request(method, path, **request)
            if response.status_code not in (429, 503) or attempt == TRIES - 1:
                break
            await asyncio.sleep(min(float(response.headers.get("Retry-After") or 1), 10))
        if response.status_code >= 500:
            response.raise_for_status()
        if response.status_code >= 400:
            raise Refused(response.status_code, _said(response))
        return response.json() if response.content else None


def _said(response: httpx.Response) -> str:
    """What a problem document, an OperationOutcome or an OAuth error says, in one line."""
    try:
        body = response.json()
    except ValueError:
        return f"HTTP {response.status_code}"
    if not isinstance(body, dict):
        return f"HTTP {response.status_code}"
    errors = [f"{e.get('pointer', '')}: {e.get('detail', '')}" for e in body.get("errors") or []]
    issues = [str(i.get("diagnostics", "")) for i in body.get("issue") or []]
    said = body.get("detail") or body.get("error_description") or body.get("title")
    return "; ".join([*errors, *issues]) or str(said or f"HTTP {response.status_code}")
