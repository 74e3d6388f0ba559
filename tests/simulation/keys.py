"""The persons' keys of a run: whatever is sealed has its key, or an erasure says that it went.

Comes in: tables, history. Goes out: violations in words.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from infra.vault.cipher import named
from referrals import erasing
from tests.simulation.database import Row

SEALED = frozenset({"sealed", "outcome_sealed"})


def erased(history: list[Row]) -> frozenset[bytes]:
    """Every key that was ever deleted."""
    facts = (msgspec.json.decode(row["data"]) for row in history if row["kind"] == erasing.KIND)
    return frozenset(bytes.fromhex(key) for fact in facts for key in fact["keys"])


def keys(tables: dict[str, Any], history: list[Row]) -> Iterable[str]:
    """Whatever is sealed has its key, or an erasure says that it went; what went is nowhere."""
    there = {(row["person_key"], row["key_id"]) for row in tables["person_key"].values()}
    gone = erased(history)
    yield from (f"keys: {person} is erased and has its key" for person, key in there if key in gone)
    for row in (*history, *tables["referral"].values(), *tables["stream"].values()):
        for column in SEALED & row.keys():
            if row[column] == b"":
                continue
            whose = named(row[column])
            if whose is None:
                yield f"keys: {row.get('type', 'a row')} is recorded in the clear"
            elif whose not in there and whose[1] not in gone:
                yield f"keys: what was sealed for {whose[0]} has lost its key"
