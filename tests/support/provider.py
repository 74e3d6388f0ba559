"""A real OpenID provider on loopback, and a person's browser at its page; for integration tests.

`async with Provider() as provider`: `provider.issuer`; `await provider.person(sub, email=..., email_verified=...)`;
`await provider.vouched(url, sub)` logs in there and returns the path and query it sends the browser back with.
"""

import asyncio
import os
import sys
from typing import Any
from urllib.parse import urlsplit

import httpx

from infra.embedded.local import keep_or_pick_port

WAIT_S = 30.0
CLIENT = ("exchange", "secret of the exchange")
"""What the exchange is to the provider: its id and its secret."""


class Provider:
    """The process, as long as the test needs it."""

    def __init__(self) -> None:
        self.issuer = ""
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> "Provider":
        port = keep_or_pick_port(None)
        self.issuer = f"http://127.0.0.1:{port}"
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.support.provider_process",
            str(port),
            env=dict(os.environ),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(WAIT_S), self._http() as http:
            while True:
                assert self._process.returncode is None, "the provider did not start"
                try:
                    (await http.get("/.well-known/openid-configuration")).raise_for_status()
                    return self
                except httpx.HTTPError:
                    await asyncio.sleep(0.1)

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            await self._process.wait()

    async def person(self, sub: str, **claims: Any) -> None:
        """Somebody who has an account there."""
        async with self._http() as http:
            (await http.put(f"/users/{sub}", json=claims)).raise_for_status()

    async def vouched(self, url: str, sub: str) -> str:
        """The person logs in on the provider's page and is sent back."""
        async with self._http() as http:
            page = await http.get(url)
            assert page.status_code == 200, page.text
            sent = await http.post(url, data={"sub": sub})
        assert sent.status_code in (302, 303), sent.text
        back = urlsplit(sent.headers["location"])
        return f"{back.path}?{back.query}"

    async def exchanged(self) -> int:
        """How many codes were exchanged for a token."""
        async with self._http() as http:
            found: int = (await http.get("/asked")).json()["exchanged"]
        return found

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.issuer, trust_env=False, timeout=10)
