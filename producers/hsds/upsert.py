"""An import against what is in force: which services are new or changed, which are the same, which are listed no more.

Comes in: what was read, and what is in force by source and id there. Goes out: a Plan and its records. Pure. Ids are
unique per source: two sources with the same id never share a service (docs/decisions/0017).
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import structs

from producers import envelope
from producers.envelope import Record, Said
from producers.hsds import Imported, Result
from referrals import ids
from referrals.listing import PROVENANCE

Key = tuple[str, str, str]


class InForce(NamedTuple):
    """A service as it stands: its stream's version, whose it is, where it was listed, the digest of that."""

    id: str
    version: int
    organization: str
    source: str
    source_id: str
    digest: str | None
    ended: bool

    @property
    def key(self) -> Key:
        """What makes it the same service in the next import."""
        return (self.source, self.organization, self.source_id)


class Plan(NamedTuple):
    """What an import sends: services with the version they replace, and the ends; `unchanged` is a count."""

    changed: list[tuple[Imported, int]]
    ended: list[InForce]
    unchanged: int


def plan(result: Result, in_force: Iterable[InForce], source: str | None, *, whole: bool = True) -> Plan:
    """Compare by content. `source` = what --source says; `whole` = what is not in the package is listed no more."""
    known = {row.key: row for row in in_force}
    taken = {row.id: row.key for row in known.values()}
    made = Plan([], [], 0)
    unchanged = 0
    for one in result.services:
        listed_by = source or result.listing.source or one.service.organization
        key = (listed_by, one.service.organization, one.source_id)
        before = known.get(key)
        service = _named(one, key, before, taken)
        taken[service.service.id] = key
        digest = _digest(service)
        said = service.body | {PROVENANCE: {"source": listed_by, "id": one.source_id, "digest": digest}}
        if before is not None and before.digest == digest and not before.ended:
            unchanged += 1
        else:
            made.changed.append((structs.replace(service, body=said), before.version if before else 0))
    if whole:
        made.ended.extend(_gone(result, known.values(), source))
    return made._replace(unchanged=unchanged)


def records(made: Plan, now: datetime) -> Iterator[Record]:
    """The records of a plan; the version in their event ids lets a service change back and end again."""
    for one, version in made.changed:
        digest = one.body[PROVENANCE]["digest"]
        organization, id = one.service.organization, one.service.id
        event = ids.event_id(organization, "service", id, str(version), digest)
        yield envelope.service_changed(Said(event, organization, now), one.service, one.body)
    for row in made.ended:
        event = ids.event_id(row.organization, "service-ended", row.id, str(row.version))
        yield envelope.service_ended(Said(event, row.organization, now), row.id, row.source, row.version)


def _named(one: Imported, key: Key, before: InForce | None, taken: dict[str, Key]) -> Imported:
    """The service under its id here: the one it has, else its own, else (where another has it) its source's."""
    id = before.id if before else one.service.id
    if taken.get(id, key) != key:
        id = str(uuid5(NAMESPACE_URL, f"urn:refex:{key[1]}:source:{key[0]}:service:{key[2]}"))
    if id == one.service.id:
        return one
    body = one.body | {"id": id, "source_id": one.source_id}
    return structs.replace(one, service=structs.replace(one.service, id=id), body=body)


def _gone(result: Result, in_force: Iterable[InForce], source: str | None) -> Iterator[InForce]:
    """What the source's newer package does not list; nothing where the package cannot be known to be whole.

    A named source ends whatever it does not list any more; without a name only the organizations it lists are whole.
    """
    listing = result.listing
    if not listing.whole:
        return
    for row in in_force:
        listed_by = source or result.listing.source or row.organization
        is_theirs = row.source == listed_by and (bool(source) or row.organization in listing.organizations)
        if is_theirs and not row.ended and row.source_id not in listing.ids:
            yield row


def _digest(one: Imported) -> str:
    """Of what routing compares and of the record, whatever the order of their keys."""
    both = [msgspec.to_builtins(one.service), one.body]
    return hashlib.sha256(msgspec.json.encode(both, order="sorted")).hexdigest()
