"""What a routing decision says of one service: what it scored, or the rule that excluded it. Never of a person."""

from msgspec import Struct


class ExcludedBy(Struct, frozen=True, gc=False):
    rule: str
    detail: str


class Candidate(Struct, frozen=True, omit_defaults=True, gc=False):
    service: str
    organization: str
    excluded_by: ExcludedBy | None = None
    score: float | None = None
    parts: dict[str, float] = {}
