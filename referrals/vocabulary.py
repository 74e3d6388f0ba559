"""Other vocabularies of referral status and outcome, to and from ours, as reviewed tables; and what each loses.

Comes in: referrals/data/maps/*.json. Goes out: their values for ours, ours for theirs. Pure. Our words are written
`status` or `status/code`, the code being the outcome of what is completed or failed and else the reason.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

import msgspec
from msgspec import Struct

from referrals.words import HopStatus, ReferralStatus, table

# The list of codes that goes with a status; a status without one stands alone.
CODES = {
    "on-hold": "hold_reasons",
    "rejected": "reject_reasons",
    "cancelled": "cancel_reasons",
    "refused": "refusal_reasons",
    "completed": "outcomes",
    "failed": "outcomes",
}
ENDS = {"completed": "complete", "failed": "fail"}


class VocabularyMap(Struct, frozen=True, forbid_unknown_fields=True):
    """One other vocabulary. `fields`: what it speaks in; `carries`: fields of its records that hold our own words.

    `to_theirs`: ours -> one value a field, a status standing for all its codes that have no row. `to_ours`: their
    values, joined by `/`, the shorter for all that have no row. `loses`: what ours comes back as -> what went in.
    """

    id: str
    title: str
    source: str
    verified: bool
    fields: tuple[str, ...]
    to_theirs: Mapping[str, tuple[str, ...]]
    to_ours: Mapping[str, str]
    loses: Mapping[str, tuple[str, ...]]
    carries: Mapping[str, str] = {}
    note: str = ""

    def theirs(self, status: str, code: str | None = None) -> dict[str, str]:
        """Their values for ours; raises KeyError for a status that is none of ours."""
        values = self.to_theirs.get(f"{status}/{code}") or self.to_theirs[status]
        own = {"status": status, "code": code or ""}
        carried = {field: own[what] for what, field in self.carries.items() if own[what]}
        return dict(zip(self.fields, values, strict=True)) | carried

    def ours(self, values: Mapping[str, str]) -> tuple[str, str | None] | None:
        """Our status and code for their values; None when the table does not know them."""
        status = values.get(self.carries.get("status", ""), "")
        code = values.get(self.carries.get("code", ""), "")
        for own in (f"{status}/{code}", status):
            if own in ours():
                return _parted(own)
        said = [values.get(field, "") for field in self.fields]
        keys = ("/".join(said[:length]) for length in range(len(said), 0, -1))
        found = next((self.to_ours[key] for key in keys if key in self.to_ours), None)
        return _parted(found) if found is not None else None

    def lost(self) -> dict[str, list[str]]:
        """What does not come back as it went, told by what it comes back as; without the fields that carry ours."""
        found: dict[str, list[str]] = {}
        for own in ours():
            there = self.theirs(*_parted(own))
            bare = {field: there[field] for field in self.fields}
            back = "/".join(part for part in self.ours(bare) or ("",) if part)
            if back != own:
                found.setdefault(back, []).append(own)
        return found


@cache
def maps() -> dict[str, VocabularyMap]:
    """Every map by id."""
    folder = resources.files("referrals").joinpath("data", "maps")
    found = [msgspec.json.decode(path.read_bytes(), type=VocabularyMap) for path in folder.iterdir()]
    return {one.id: one for one in sorted(found, key=lambda one: one.id)}


@cache
def ours() -> dict[str, None]:
    """All our words, in order."""
    return dict.fromkeys(_ours())


def _ours() -> Iterator[str]:
    for status in dict.fromkeys([*map(str, ReferralStatus), *map(str, HopStatus)]):
        rows = table(CODES[status]) if status in CODES else {}
        fitting = [code for code, row in rows.items() if ENDS.get(status) in (None, *row.get("ends", ()))]
        yield from (f"{status}/{code}" for code in fitting)
        if not fitting:
            yield status


def _parted(own: str) -> tuple[str, str | None]:
    status, _, code = own.partition("/")
    return status, code or None
