"""People who log in to the pages as a browser does; for integration tests on tests/support/api.py.

`async with browser(api, email) as http`: a client with that person's cookie. `await token_of(http)`: what its forms
carry. `await joined(api, "clinic-a", "auditor")`: a new person's address.
"""

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import httpx

from api import totp
from api.limits import Buckets
from infra import people
from tests.support.api import HASH, PASSWORD, Api


async def joined(api: Api, organization: str, role: str | None = None) -> str:
    """A new person of that role, with the password that all have."""
    email = f"{role}-{uuid4().hex[:8]}@{organization}.example.org"
    async with api.owner() as owner:
        await people.add(owner, organization, email, None, role)
        await owner.execute("update app_user set password_hash = $2 where email = $1", email, HASH)
    return email


async def entered(http: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    """The answer to the log-in form."""
    return await http.post("/login", data={"email": email, "password": password})


@asynccontextmanager
async def browser(api: Api, email: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody's browser, logged in."""
    async with api.http() as http:
        got = await entered(http, email)
        assert got.status_code == 303, got.text
        yield http


async def token_of(http: httpx.AsyncClient) -> str:
    """The token in the forms of a browser's session."""
    found = re.search(r'name="csrf" value="([^"]+)"', (await http.get("/account")).text)
    assert found is not None
    return found[1]


async def enrolled(http: httpx.AsyncClient) -> bytes:
    """The secret of whoever is logged in, set up and confirmed with the code of the step before now."""
    shown = await http.post("/account/code", data={"csrf": await token_of(http)})
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", shown.text)
    assert found is not None
    secret = base64.b32decode(found[1].replace(" ", ""))
    before = dict(http.cookies)
    code = totp.code(secret, totp.step_of(datetime.now(UTC)) - 1)
    done = await http.post("/account/code/confirm", data={"csrf": await token_of(http), "code": code})
    assert done.status_code == 303 and dict(http.cookies) != before
    return secret


def unhurried(api: Api) -> None:
    """No quota in the way of what a test asks."""
    limits = api.app.state.context.limits
    for name in ("requests", "tokens", "logins", "accounts", "addresses", "links", "codes", "people"):
        setattr(limits, name, Buckets(per_second=1e9, burst=1e9))
