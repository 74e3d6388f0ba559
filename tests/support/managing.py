"""What an admin does on the page about people, as a browser sends it; for integration tests on tests/support/api.py."""

import re
from typing import Any
from uuid import UUID

import httpx

from infra.audit import records
from tests.support.api import Api
from tests.support.people import token_of

DEEDS = ("role", "shut-out", "let-in", "reset")


async def person(api: Api, email: str) -> dict[str, Any]:
    """The whole row of somebody."""
    async with api.owner() as owner:
        row = await owner.fetchrow("select * from app_user where email = $1", email)
    assert row is not None
    return dict(row)


async def deed(http: httpx.AsyncClient, id: UUID | str, name: str, **fields: str) -> httpx.Response:
    """The answer to one form of a person's page."""
    sent = {"csrf": await token_of(http), **({"role": "staff"} if name == "role" else {}), **fields}
    return await http.post(f"/people/{id}/{name}", data=sent)


async def new(http: httpx.AsyncClient, email: str, role: str = "staff", name: str = "Ana") -> httpx.Response:
    """The answer to the form for somebody new."""
    sent = {"csrf": await token_of(http), "name": name, "email": email, "role": role}
    return await http.post("/people/new", data=sent)


async def recorded(api: Api) -> list[records.Request]:
    """Every request on record, the newest last."""
    async with api.owner() as owner:
        rows = await owner.fetch("select body from audit_record where kind = 'request' order by at")
    return [r for row in rows if isinstance(r := records.record("request", row["body"]), records.Request)]


def shown_password(page: str) -> str:
    """The password on a page."""
    found = re.search(r"<code>([a-z]{4}(?:-[a-z]{4}){3})</code>", page)
    assert found is not None
    return found[1]
