"""Asks another server for one document: a client's keys, a provider's description, a token.

Comes in: an address that addresses.secure() allows. Goes out: the document's bytes, one more than asked for at most.
Must never follow a redirect, read without a bound, wait long, or go through a proxy of the environment.
"""

import asyncio
from typing import Any, Final

import httpx

WAIT_S: Final = 2.0
FAILED: Final = (httpx.HTTPError, httpx.InvalidURL, TimeoutError)


async def fetched(url: str, most: int, method: str = "GET", **sent: Any) -> bytes:
    """The document there; `sent` as httpx takes it (data, auth). Raises one of FAILED."""
    document = b""
    async with asyncio.timeout(WAIT_S), httpx.AsyncClient(trust_env=False, timeout=WAIT_S) as http:
        async with http.stream(method, url, headers={"Accept-Encoding": "identity"}, **sent) as response:
            response.raise_for_status()
            async for piece in response.aiter_raw():
                document += piece
                if len(document) > most:
                    break
    return document
