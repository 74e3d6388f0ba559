"""The accounting of disclosures (45 CFR 164.528): who was shown what of a person, when, why, under which consent.

Comes in: a person's key, a caller behind the guard. Goes out: a page of the audit's index, and CSV of all of it. Must
never say a value of a person, nor leave out a disclosure that is on record. For pages and the command: `of_person`.
"""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api import cursors
from api.bodies import answer
from api.context import context, principal_of
from api.grants import GRANTS, OPENED
from api.problems import not_found, wrong
from api.referrals import CANONICAL_ID
from api.tables import csv_answer
from infra.postgres import queries
from infra.roles import BREAK_GLASS

SQL = queries("api", "disclosures.sql")
MAX_ROWS = 50_000
NOTICE = ("id", "version", "status")
# What a viewer was shown as -> FHIR PurposeOfUse, and why in words; an unknown one is said as it stands.
PURPOSES = {
    "offered": ("COC", "finding an organization that can help"),
    "holder": ("TREAT", "giving the help that was asked for"),
    "past": ("COC", "knowing what became of its own part"),
    "withheld": ("COC", "knowing that the consent has ended"),
    "payer": ("CAREMGT", "coverage, payment and care management"),
    "payer-without-consent": ("HPAYMT", "coverage and payment, without the person"),
    "payer-before": ("HPAYMT", "coverage and payment in its time"),
    "hub": ("COC", "coordinating the referral"),
    "operator": ("HSYSADMIN", "running the exchange, by ids"),
    "notice": ("COC", "hearing of progress, by ids"),
    BREAK_GLASS: ("BTG", "looking into a complaint (break-glass)"),
}
COLUMNS = ("at", "referral", "recipient", "what", "fields", "purpose", "why", "under", "rule", "how")


class Position(Struct, frozen=True, array_like=True):
    """Where the last page ended."""

    at: datetime
    chain: str
    number: int
    referral: UUID


class Asking(NamedTuple):
    """For whom it is: its sender, the hub that reviews the referral, or whoever audits the exchange."""

    organization: str
    type: str


def asking(request: Request) -> Asking:
    """The caller of a request."""
    principal = principal_of(request)
    return Asking(principal.organization, principal.type)


async def index(request: Request) -> Response:
    """What was disclosed of a person, the newest first."""
    position = cursors.decode(request.query_params.get("cursor"), Position)
    async with context(request).database.reading(principal_of(request)) as connection:
        person = await _known(connection, request)
        found, end = await of_person(connection, asking(request), person, position, cursors.limit(request))
    return answer(cursors.page(found, cursors.encode(end) if end else None))


async def index_csv(request: Request) -> Response:
    """The same as CSV, whole."""
    async with context(request).database.reading(principal_of(request), 20.0) as connection:
        person = await _known(connection, request)
        found, end = await of_person(connection, asking(request), person, None, MAX_ROWS)
    if end is not None:
        raise wrong("?cursor", f"more than {MAX_ROWS:,} disclosures; read them page by page as JSON")
    return csv_answer(COLUMNS, ([one[name] for name in COLUMNS] for one in found), "disclosures")


async def of_person(
    connection: asyncpg.Connection,
    asking: Asking,
    person: UUID,
    position: Position | None = None,
    limit: int = 50,
) -> tuple[list[dict[str, Any]], Position | None]:
    """A page of what was disclosed of a person, as far as whoever asks may know, and where it ended."""
    at, chain, number, referral = (
        (position.at, position.chain, position.number, position.referral) if position else (None,) * 4
    )
    rows = await connection.fetch(SQL["of_person"], person, at, chain, number, referral, limit + 1, *asking)
    found = [entry(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return found, None
    last = rows[limit - 1]
    return found, Position(last["at"], last["chain"], last["number"], last["referral_id"])


def entry(row: asyncpg.Record) -> dict[str, Any]:
    """One disclosure; what was on record before the index said more has no `what`."""
    shown = row["shown"] or ""
    code, why = PURPOSES.get(said_of(shown), (None, None))
    return {
        "at": row["at"],
        "referral": row["referral_id"],
        "recipient": row["recipient"],
        "what": row["shown"],
        "fields": fields_of(shown),
        "purpose": code,
        "why": row["purpose"] or why,
        "under": row["basis"],
        "rule": row["rule"],
        "how": row["action"],
    }


def said_of(shown: str) -> str:
    """What a viewer was shown as, in the words of PURPOSES: another's view opened by an operator is one of them."""
    return BREAK_GLASS if shown.startswith(f"{BREAK_GLASS}-") else shown


def fields_of(shown: str) -> list[str]:
    """The fields that such a viewer was shown, parts of the person and the need by name."""
    grant = GRANTS.get(shown) or OPENED.get(shown.removeprefix(f"{BREAK_GLASS}-"))
    if grant is None:
        return list(NOTICE) if shown == "notice" else []
    parts = {"person": grant.person, "need": grant.need, "coverage": grant.coverage, "consent": grant.consent}
    whole = sorted(grant.fields - parts.keys())
    return whole + sorted(f"{part}.{name}" for part, names in parts.items() for name in names)


async def _known(connection: asyncpg.Connection, request: Request) -> UUID:
    """The key of the path, of a person whom the caller has to do with; raises the 404."""
    text = request.path_params["id"]
    if not CANONICAL_ID.fullmatch(text):
        raise not_found()
    if not await connection.fetchval(SQL["known"], UUID(text), *asking(request)):
        raise not_found()
    return UUID(text)
