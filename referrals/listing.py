"""A service as its source lists it: the rule of the stream `service`.

Comes in: the stream as it stands, a listing or the end of one. Goes out: the stream's new data, None when the source
says nothing new. Pure. A source must never change or end what another source lists, nor end what changed meanwhile.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from referrals import commands as c
from referrals.directory import Service
from referrals.errors import RejectionReason as No

if TYPE_CHECKING:
    from referrals.streams import Stream

CHANGED, ENDED = "service-changed", "service-ended"
PROVENANCE = "provenance"
"""In the record: `source`, `id` there, `digest` of what it said, `imported_at` when that was said first."""
Data = dict[str, Any]


def recorded(
    before: "Stream | None", command: c.RecordFact, envelope: c.Envelope
) -> c.RecordFact | c.Rejection | None:
    """The stream after a record of its source."""
    return (_ended if command.type == ENDED else _listed)(before, command, envelope)


def source_of(body: Mapping[str, Any], organization: str) -> str:
    """Who lists a service; the organization itself where nothing else is said."""
    said = body.get(PROVENANCE)
    return str(said.get("source") or organization) if isinstance(said, dict) else organization


def _listed(
    before: "Stream | None", command: c.RecordFact, envelope: c.Envelope
) -> c.RecordFact | c.Rejection | None:
    try:
        service = msgspec.convert(command.data["routing"], Service)
    except msgspec.ValidationError as error:
        return c.Rejection(No.INVALID, f"routing is not a service ({error}); import it again"[:2000])
    body = dict(command.data["body"])
    if before is not None:
        old = before.data["body"]
        if source_of(old, before.tenant) != source_of(body, envelope.organization):
            return c.Rejection(
                No.NOT_PERMITTED, "another source lists a service under this id; import it again"
            )
        if before.type == CHANGED and _said(before.data) == _said(command.data):
            return None
    if isinstance(body.get(PROVENANCE), dict):
        body[PROVENANCE] = body[PROVENANCE] | {"imported_at": envelope.occurred_at.isoformat()}
    return structs.replace(command, data={"routing": msgspec.to_builtins(service), "body": body})


def _said(data: Mapping[str, Any]) -> tuple[object, object]:
    """What a source says, without when it was imported; defaults that were not written are equal to written ones."""
    body = dict(data["body"])
    if isinstance(body.get(PROVENANCE), dict):
        body[PROVENANCE] = {k: v for k, v in body[PROVENANCE].items() if k != "imported_at"}
    return msgspec.convert(data["routing"], Service), body


def _ended(
    before: "Stream | None", command: c.RecordFact, envelope: c.Envelope
) -> c.RecordFact | c.Rejection | None:
    if before is None:
        return c.Rejection(No.UNKNOWN_SERVICE, "no source has listed this service")
    routing, body = dict(before.data["routing"]), dict(before.data["body"])
    if source_of(body, before.tenant) != command.data["source"]:
        return c.Rejection(No.NOT_PERMITTED, "another source lists this service")
    if before.type == ENDED:
        return None
    if before.version != command.data["version"]:
        return c.Rejection(No.STALE, "the service has changed since; import the newer package again")
    body |= {"status": "inactive", "ended_on": envelope.occurred_at.date().isoformat()}
    if isinstance(body.get(PROVENANCE), dict):
        body[PROVENANCE] = body[PROVENANCE] | {"digest": ""}
    return structs.replace(command, data={"routing": routing | {"active": False}, "body": body})
