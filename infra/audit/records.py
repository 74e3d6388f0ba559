"""What an audit record says, in the shape of a FHIR AuditEvent, and the bytes that are hashed and kept.

Comes in: who did what to whose. Goes out: bytes that say just that. Must never hold a name, a contact, a note or any
other value of a person: ids alone.
Sources: FHIR R4 AuditEvent; IHE Basic Audit Log Patterns (BALP).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

Operation = Literal["C", "R", "U", "D", "E"]
Outcome = Literal["0", "4", "8"]


class Object(Struct, frozen=True, omit_defaults=True):
    """One thing looked at or acted on (AuditEvent.entity); `shown` is the row of the API's grants that held.

    `basis` is why it may be: the consent's id, or the right (own, operator); `rule` is the sharing rule and version.
    """

    kind: str
    id: str
    owner: str | None = None
    person: UUID | None = None
    shown: str | None = None
    basis: str | None = None
    rule: str | None = None


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to the API (AuditEvent.agent, action, outcome, entity)."""

    kind: ClassVar[str] = "request"
    at: datetime
    request: str
    route: str
    action: str
    operation: Operation
    status: int
    organization: str | None = None
    type: str | None = None
    user: str | None = None
    role: str | None = None
    purpose: str | None = None
    objects: tuple[Object, ...] = ()

    @property
    def tenant(self) -> str:
        """Whose people or systems acted; empty for nobody known."""
        return self.organization or ""

    @property
    def outcome(self) -> Outcome:
        """AuditEvent.outcome: success, minor failure (refused), serious failure (ours)."""
        return "0" if self.status < 400 else "4" if self.status < 500 else "8"


class BreakGlass(Request, frozen=True, kw_only=True, omit_defaults=True):
    """A request by which an operator opened, looked through or ended a break-glass; without its reason it is none."""

    kind: ClassVar[str] = "break-glass"
    opening: UUID
    reason: str


class Sealed(Struct, frozen=True, array_like=True):
    """The facts `first` to `last` of a lane, and the digest of all of them in order."""

    lane: int
    first: int
    last: int
    digest: str


class Facts(Struct, frozen=True):
    """What one batch wrote."""

    kind: ClassVar[str] = "facts"
    tenant: ClassVar[str] = ""
    at: datetime
    sealed: tuple[Sealed, ...]


class Fact(Struct, frozen=True, array_like=True):
    """A row of history, in the order in which it is hashed."""

    lane: int
    lane_seq: int
    kind: str
    stream_id: UUID
    version: int
    type: str
    event_id: UUID
    occurred_at: datetime
    at: datetime
    actor_organization: str
    actor_user: str | None
    on_behalf_of: str | None
    channel: str
    tenant: str
    sender: str | None
    recipients: Sequence[str]
    payer: str | None
    status: str | None
    data: bytes
    sealed: bytes


Record = Request | Facts
KINDS: Mapping[str, type[Record]] = {kind.kind: kind for kind in (Request, Facts, BreakGlass)}


def body(record: Record) -> bytes:
    """The bytes that are hashed and kept."""
    return msgspec.json.encode(record)


def record(kind: str, kept: bytes) -> Record:
    """A kept record; raises ValueError where the body is none of that kind."""
    if kind not in KINDS:
        raise ValueError("a kind of record that is not known")
    return msgspec.json.decode(kept, type=KINDS[kind])


def sealed(written: Sequence[Fact], at: datetime) -> Facts:
    """The seal of facts that one transaction wrote: each lane's are contiguous."""
    lanes: dict[int, list[Fact]] = {}
    for fact in sorted(written, key=lambda f: (f.lane, f.lane_seq)):
        lanes.setdefault(fact.lane, []).append(fact)
    return Facts(
        at,
        tuple(
            Sealed(lane, held[0].lane_seq, held[-1].lane_seq, digest(held)) for lane, held in lanes.items()
        ),
    )


def digest(held: Iterable[Fact]) -> str:
    """SHA-256 over the facts in the order given."""
    total = sha256()
    for fact in held:
        total.update(coded(fact))
    return total.hexdigest()


def coded(fact: Fact) -> bytes:
    """A fact as it is hashed: its length, then its values."""
    values = msgspec.msgpack.encode(fact)
    return len(values).to_bytes(4) + values
