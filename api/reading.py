"""Reads referrals under the caller's own role: one, a page of those visible, the events of one.

For pages and handlers: `load(connection, vault, principal, id)`, `list_visible(connection, vault, principal, filters,
position, limit)`, `events_of(...)`; the connection comes from `context(request).database.reading(principal)`. Must
never be given a connection of another role, and returns nothing that views.py would not show.
"""

from collections.abc import Container, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct, structs

from api import facts, grants, policy, views
from api.masks import masked_fact
from api.principal import Principal
from infra.postgres import queries
from infra.vault.cipher import NOTE, SUBMISSION, Erased, Withheld
from infra.vault.vault import Vault
from referrals import erasing, ids
from referrals.consent import NO_RECORDS, Known, Records
from referrals.events import DuplicateSuspected
from referrals.state import Referral
from referrals.submission import Submission

SQL = queries("api", "reading.sql")
# Organization type -> the query that lists what it may see; a type without one sees an empty list.
LISTS = {
    "clinic": "list_sent",
    "platform": "list_sent",
    "mco": "list_covered",
    "cbo": "list_received",
    "hub": "list_reviewed",
    "operator": "list_all",
}


_RECORDS = msgspec.json.Decoder(dict[UUID, Known])


class Filters(Struct, frozen=True):
    """What a list is narrowed to."""

    status: str | None = None
    organization: str | None = None
    updated_after: datetime | None = None


class Position(Struct, frozen=True, array_like=True):
    """Where the last page ended."""

    created_at: datetime
    id: UUID


async def waits(connection: asyncpg.Connection, principal: Principal, id: UUID) -> bool:
    """Whether the caller's submission of it is held up because the exchange failed at it."""
    return bool(await connection.fetchval(SQL["waits"], id, principal.organization))


async def load(
    connection: asyncpg.Connection, vault: Vault, principal: Principal, id: UUID
) -> views.Seen | None:
    """The referral if it exists for the principal, else None. Show it with views.referral(principal, seen)."""
    row = await connection.fetchrow(SQL["one"], id)
    seen = None if row is None else seen_of(row, vault)
    return seen if seen is not None and exists(principal, seen) else None


def exists(principal: Principal, seen: views.Seen) -> bool:
    """Whether a stored referral exists for the principal."""
    return policy.sees(principal, policy.referral(seen.state, seen.reviewed))


def _exists(principal: Principal, row: asyncpg.Record) -> bool:
    state = msgspec.json.decode(row["state"], type=Referral)
    return policy.sees(principal, policy.referral(state, row["reviewed"]))


async def list_visible(
    connection: asyncpg.Connection,
    vault: Vault,
    principal: Principal,
    filters: Filters,
    position: Position | None = None,
    limit: int = 50,
) -> tuple[list[views.Seen], Position | None]:
    """A page of what the principal may see, newest first, and where it ended (None = that was all)."""
    query = LISTS.get(principal.type)
    if query is None:
        return [], None
    rows = await connection.fetch(
        SQL[query],
        principal.organization,
        filters.status,
        filters.organization,
        filters.updated_after,
        position.created_at if position else None,
        position.id if position else None,
        limit + 1,
    )
    found = [seen_of(row, vault) for row in rows[:limit]]
    visible = [seen for seen in found if exists(principal, seen)]
    more = len(rows) > limit
    return visible, Position(found[-1].state.created_at, found[-1].state.id) if more else None


async def events_of(
    connection: asyncpg.Connection,
    vault: Vault,
    principal: Principal,
    seen: views.Seen,
    after: int = 0,
    limit: int = 200,
) -> list[dict[str, Any]]:
    """The referral's events with a version above `after`, as the principal sees them, oldest first."""
    kind = views.kind_of(principal, seen)
    if kind is None:
        return []
    query = "events_of_own_hops" if kind in views.RECEIVERS else "events"
    lane = ids.lane(seen.state.id)
    rows = await connection.fetch(SQL[query], seen.state.id, after, limit, principal.organization, lane)
    named = [_earlier(row["data"]) for row in rows if row["type"] == "duplicate-suspected"]
    rows_named = await connection.fetch(SQL["these"], named) if named else []
    others = {str(row["id"]) for row in rows_named if _exists(principal, row)}
    told = [{**row, "note": partial(_note, vault, seen.state.id, row)} for row in map(dict, rows)]
    return [shown(principal.organization, seen, kind, row, others) for row in told]


def shown(
    own: str, seen: views.Seen, kind: str, row: Mapping[str, Any], others: Container[str] = ()
) -> dict[str, Any]:
    """One fact of a referral as a viewer of that kind sees it; `others`: ids it names that the viewer may see."""
    sender = seen.state.sender
    hidden = kind in views.TOLD and not views.released(seen, kind)
    discreet = kind in grants.DISCREET and bool(views.labels_of(seen.state))
    event = facts.event(kind, own, sender, row, others, hidden, discreet)
    return masked_fact(event, own, sender) if views.is_masked(seen.state, kind) else event


def _earlier(data: bytes) -> UUID:
    return msgspec.json.decode(data, type=DuplicateSuspected).earlier


async def decision_of(connection: asyncpg.Connection, id: UUID) -> str | None:
    """The last routing decision of a visible referral as JSON, None when there is none yet."""
    decision: str | None = await connection.fetchval(SQL["decision"], id)
    return decision


def seen_of(row: asyncpg.Record, vault: Vault) -> views.Seen:
    """A stored row as views.py takes it; without the person's key there is a stub. Raises Locked."""
    state = msgspec.json.decode(row["state"], type=Referral)
    try:
        content = vault.open(row["sealed"], SUBMISSION, state.id, row["key"])
        submission = msgspec.json.decode(content, type=Submission)
    except Withheld:
        submission = erasing.stub(state)
    except Erased:
        submission = erasing.stub(state)
        state = structs.replace(state, flags=(*state.flags, erasing.FLAG))
    return views.Seen(
        state,
        submission,
        _note(vault, state.id, {"sealed": row["outcome_sealed"], "key": row["outcome_key"]}),
        row["reviewed"],
        consents_of(row),
    )


def consents_of(row: asyncpg.Record) -> Records:
    """The person's consent records of a row, as they stand."""
    return _RECORDS.decode(row["consents"]) if row["consents"] else NO_RECORDS


def _note(vault: Vault, referral: UUID, row: Mapping[str, Any]) -> str | None:
    """A note, None when there is none or its person was erased."""
    try:
        return vault.open(row["sealed"], NOTE, referral, row["key"]).decode() or None
    except Erased:
        return None
