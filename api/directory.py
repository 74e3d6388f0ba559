"""The directory for everybody: organizations and services in HSDS shapes; room and closures by their CBO.

Comes in: search parameters. Goes out: HSDS services as imported, nearest or by name first. Must never show a person,
a credential, or another organization's inactive record as if it could be asked.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, cursors, events
from api.bodies import CapacityBody, answer
from api.context import context, principal_of
from api.problems import not_found, wrong
from api.referrals import CANONICAL_ID
from infra.places import places
from infra.postgres import queries
from producers import envelope
from referrals import words
from referrals.check import parse_date
from referrals.directory import Service
from referrals.globe import distance_km
from referrals.wanted import language_code

SQL = queries("api", "directory.sql")
CAPACITY = ("open", "limited", "waitlist", "full", "closed")


class Listed(Struct, frozen=True):
    """A service for comparing, and its HSDS record as JSON."""

    service: Service
    body: dict[str, Any]


class Wanted(Struct, frozen=True):
    """What a search asks for; None = anything."""

    q: str | None = None
    need: str | None = None
    near: str | None = None
    language: str | None = None
    open_now: bool = False


async def organizations(request: Request) -> Response:
    """Every active organization of the exchange."""
    limit = cursors.limit(request, cursors.MAX_LIMIT)
    after = cursors.decode(request.query_params.get("cursor"), str) or ""
    async with context(request).database.reading(principal_of(request)) as connection:
        rows = await connection.fetch(SQL["organizations"], after, limit + 1)
    items = [_organization(row) for row in rows[:limit]]
    more = cursors.encode(items[-1]["id"]) if len(rows) > limit else None
    return answer(cursors.page(items, more))


def _organization(row: Any) -> dict[str, Any]:
    """An organization in HSDS shape, under its id on this exchange."""
    imported = msgspec.json.decode(row["hsds"]) if row["hsds"] else {}
    own = {"id": row["id"], "name": row["name"], "type": row["type"]}
    return {"description": row["name"], **imported, **own}


async def services(request: Request) -> Response:
    """Services that match: text, need domain, ZIP, language, open today."""
    wanted = wanted_of(request)
    limit = cursors.limit(request)
    start = cursors.decode(request.query_params.get("cursor"), int) or 0
    async with context(request).database.reading(principal_of(request)) as connection:
        listed = await all_services(connection)
    found = search(listed, wanted, datetime.now(UTC))
    start = min(max(start, 0), len(found))
    page = found[start : start + limit]
    more = cursors.encode(start + limit) if start + limit < len(found) else None
    return answer(cursors.page([listed.body for listed in page], more))


async def all_services(connection: asyncpg.Connection) -> list[Listed]:
    """Every service of the directory."""
    rows = await connection.fetch(SQL["services"])
    return [
        Listed(msgspec.json.decode(r["routing"], type=Service), msgspec.json.decode(r["body"])) for r in rows
    ]


def wanted_of(request: Request) -> Wanted:
    """The search of a request's parameters; raises the 422."""
    given = {k: v.strip() for k, v in request.query_params.items() if v.strip()}
    if given.get("need") and given["need"] not in words.table("domains"):
        raise wrong("?need", "unknown need domain; use a Gravity SDOH category code")
    if given.get("near") and given["near"][:5] not in places():
        raise wrong("?near", "unknown ZIP; send five digits")
    if given.get("open_now", "false") not in ("true", "false"):
        raise wrong("?open_now", "send true or false")
    near = given["near"][:5] if given.get("near") else None
    return Wanted(
        given.get("q"), given.get("need"), near, given.get("language"), given.get("open_now") == "true"
    )


def search(listed: Iterable[Listed], wanted: Wanted, now: datetime) -> list[Listed]:
    """Active services that match, nearest first where a ZIP is given, else by name."""
    found = [one for one in listed if matches(one, wanted, now)]
    return sorted(found, key=lambda one: (_distance(one.service, wanted), one.service.name, one.service.id))


def matches(one: Listed, wanted: Wanted, now: datetime) -> bool:
    """Whether a service is what the search asks for."""
    service = one.service
    text = f"{service.name} {service.organization} {one.body.get('description') or ''}".lower()
    language = language_code(wanted.language)
    return all(
        (
            service.active,
            not wanted.q or all(word in text for word in wanted.q.lower().split()),
            not wanted.need or wanted.need in service.domains,
            not language or language in (service.languages or ("en",)),
            not wanted.open_now or not service.closed_on(now.date()),
            not wanted.near or _serves(service, wanted.near),
        )
    )


def _serves(service: Service, postal_code: str) -> bool:
    place = places().get(postal_code)
    county = place is not None and place.county in service.counties
    return service.statewide or postal_code in service.postal_codes or county


def _distance(service: Service, wanted: Wanted) -> float:
    place = places().get(wanted.near or "")
    if place is None or service.latitude is None or service.longitude is None:
        return 0.0 if place is None else 1e9
    return distance_km(place.latitude, place.longitude, service.latitude, service.longitude)


async def capacity(request: Request) -> Response:
    """How much room a service has, or when it is closed: by its own CBO. 202; routing follows."""
    text = request.path_params["id"]
    principal = principal_of(request)
    if not CANONICAL_ID.fullmatch(text):
        raise not_found()
    async with context(request).database.reading(principal) as connection:
        owner = await connection.fetchval(SQL["owner"], UUID(text))
    if owner != principal.organization and principal.type != "operator":
        raise not_found()
    body, said = await bodies.read_as(request, CapacityBody)
    check(said)
    asked = await events.ask(request, body)
    if asked.outcome is None:
        content = msgspec.to_builtins(said)
        await events.publish(
            request, [envelope.capacity_changed(events.said(request, asked), UUID(text), content)]
        )
    return answer({"id": text, "status": "received"}, 202)


def check(said: CapacityBody) -> None:
    """Raise the 422 for what the body alone shows to be wrong."""
    if said.status is None and said.available is None and said.closures is None:
        raise wrong("", "send status, available or closures")
    if said.status is not None and said.status not in CAPACITY:
        raise wrong("/status", f"use one of {', '.join(CAPACITY)}")
    for number, closure in enumerate(said.closures or []):
        days = [closure.from_, closure.to or closure.from_]
        if any(parse_date(day) is None for day in days) or days[0] > days[1]:
            raise wrong(f"/closures/{number}", "send from and to as dates YYYY-MM-DD, in order")
