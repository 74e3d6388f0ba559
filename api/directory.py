"""The directory for everybody: organizations and services in HSDS shapes.

Comes in: search parameters of anybody. Goes out: HSDS services as their source describes them, with what their own CBO
says of their room; nearest first, else by name. Must never show a person or a credential.
"""

import re
import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api import cursors
from api.bodies import answer
from api.context import context, principal_of
from api.problems import wrong
from infra.places import places, zone
from infra.postgres import queries
from referrals import words
from referrals.capacity import with_room
from referrals.check import UNWRITABLE
from referrals.directory import Service
from referrals.hours import open_at, postal_code
from referrals.wanted import language_code

SQL = queries("api", "directory.sql")
NEAR_KM = 50.0
NOWHERE_KM = 1e9
MAX_TEXT = 200
MAX_WORDS = 10
LOOKED_AT = 2_000
"""How many services one answer about opening hours looks at, at most; the cursor goes on from there."""


class Position(NamedTuple):
    """Where a page of services ended."""

    km: float
    name: str
    id: UUID


START = Position(-1.0, "", UUID(int=0))


class Wanted(Struct, frozen=True):
    """What a search asks for; empty = anything. `q` are words joined for Postgres; None = signs alone, so nothing."""

    q: str | None = ""
    need: str = ""
    near: str = ""
    language: str = ""
    open_now: bool = False


async def organizations(request: Request) -> Response:
    """Every active organization of the exchange, by a part of its name."""
    limit = cursors.limit(request, cursors.MAX_LIMIT)
    after = cursors.decode(request.query_params.get("cursor"), str) or ""
    given = _given(request).get("q", "")
    named = " ".join(_words(given)) or given
    async with context(request).database.reading(principal_of(request)) as connection:
        rows = await connection.fetch(SQL["organizations"], _text("?cursor", after), limit + 1, named)
    items = [_organization(row) for row in rows[:limit]]
    more = cursors.encode(items[-1]["id"]) if len(rows) > limit else None
    return answer(cursors.page(items, more))


def _organization(row: Any) -> dict[str, Any]:
    """An organization in HSDS shape, under its id on this exchange."""
    imported = msgspec.json.decode(row["hsds"]) if row["hsds"] else {}
    own = {"id": row["id"], "name": row["name"], "type": row["type"]}
    return {"description": row["name"], **imported, **own}


async def services(request: Request) -> Response:
    """Services that match: words, need domain, near a ZIP, language, open now."""
    wanted = wanted_of(request)
    limit = cursors.limit(request)
    after = cursors.decode(request.query_params.get("cursor"), Position) or START
    after = after._replace(name=_text("?cursor", after.name))
    async with context(request).database.reading(principal_of(request)) as connection:
        items, more = await _page(connection, wanted, after, limit)
    return answer(cursors.page(items, cursors.encode(more) if more else None))


async def _page(
    connection: asyncpg.Connection, wanted: Wanted, after: Position, limit: int
) -> tuple[list[dict[str, Any]], Position | None]:
    """One page, and where it ended if there may be more."""
    items: list[dict[str, Any]] = []
    now, looked = datetime.now(UTC), 0
    async for row in _found(connection, wanted, after, limit):
        if len(items) == limit or looked == LOOKED_AT:
            return items, after
        looked += 1
        after = Position(row["km"], row["name"], row["id"])
        if not wanted.open_now or is_open(row, now):
            items.append(listed(row, wanted))
    return items, None


async def _found(
    connection: asyncpg.Connection, wanted: Wanted, after: Position, limit: int
) -> AsyncIterator[asyncpg.Record]:
    """Every match in order, read as far as it is asked for."""
    place = places().get(wanted.near)
    here = (wanted.near, place.county if place else "", place and place.latitude, place and place.longitude)
    size = max(limit + 1, LOOKED_AT // 4) if wanted.open_now else limit + 1
    while wanted.q is not None:
        asked = (wanted.q, wanted.need, wanted.language, *here, NEAR_KM, *after, size)
        rows = await connection.fetch(SQL["search"], *asked)
        for row in rows:
            yield row
        if len(rows) < size:
            return
        after = Position(rows[-1]["km"], rows[-1]["name"], rows[-1]["id"])


def listed(row: asyncpg.Record, wanted: Wanted | None = None) -> dict[str, Any]:
    """A service in HSDS shape, with what its own CBO says of its room, and how far it is where that was asked."""
    made: dict[str, Any] = msgspec.json.decode(row["body"])
    if row["said"]:
        said = msgspec.json.decode(row["said"])
        made["capacity"] = {**said.get("room", {}), "closures": said.get("closures", [])}
    if wanted is not None and wanted.near:
        made["distance_km"] = round(row["km"], 1) if row["km"] < NOWHERE_KM else None
        made["serves_area"] = row["serves"]
    return made


def is_open(row: asyncpg.Record, now: datetime) -> bool:
    """Whether a service found is open, in the time zone of its place."""
    service = msgspec.json.decode(row["routing"], type=Service)
    if row["said"]:
        service = with_room(service, msgspec.json.decode(row["said"]))
    body = msgspec.json.decode(row["body"])
    return open_at(service, body, now, zone(postal_code(body) or next(iter(service.postal_codes), "")))


def wanted_of(request: Request) -> Wanted:
    """The search of a request's parameters; raises the 422."""
    given = _given(request)
    if given.get("need") and given["need"] not in words.table("domains"):
        raise wrong("?need", "unknown need domain; use a Gravity SDOH category code")
    if given.get("near") and given["near"][:5] not in places():
        raise wrong("?near", "unknown ZIP; send five digits")
    if given.get("open_now", "false") not in ("true", "false"):
        raise wrong("?open_now", "send true or false")
    found = _words(given.get("q", ""))
    return Wanted(
        q=" & ".join(f"{word}:*" for word in found) if found or "q" not in given else None,
        need=given.get("need", ""),
        near=given.get("near", "")[:5],
        language=language_code(given.get("language")) or "",
        open_now=given.get("open_now") == "true",
    )


def _given(request: Request) -> dict[str, str]:
    """The parameters that say something, trimmed; raises the 422 for what no search can hold."""
    return {k: _text(f"?{k}", v.strip()) for k, v in request.query_params.items() if v.strip()}


def _text(pointer: str, text: str) -> str:
    if UNWRITABLE.search(text):
        raise wrong(pointer, "holds a NUL or an unpaired surrogate; remove it")
    if pointer != "?cursor" and len(text) > MAX_TEXT:
        raise wrong(pointer, f"send at most {MAX_TEXT} characters")
    return text


def _words(text: str) -> list[str]:
    """The words of a text as the search index has them (plain_words in the migrations): letters and digits alone."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in plain if not "\u0300" <= c <= "\u036f").lower()
    return re.findall(r"[^\W_]+", plain)[:MAX_WORDS]
