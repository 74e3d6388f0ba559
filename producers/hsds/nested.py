"""Nested HSDS JSON checked by the same field rules as the tables, object by object.

Comes in: one object of a known table. Goes out: a copy without what is wrong. Problems name the path to the field.
"""

from typing import Any

from producers.hsds.report import Where
from producers.hsds.rows import Row, checked
from producers.hsds.rules import NAMES

APART = ("services", "service", "organization")
"""Objects that documents.py takes apart and checks by themselves."""


def nested(table: str, value: Row, where: Where) -> Row | None:
    """The object and all that is nested in it; None when a required field is wrong."""
    row = checked(table, value, where, in_json=True)
    if row is None:
        return None
    made: Row = {}
    for key, inner in row.items():
        inside = None if key in APART else NAMES.get(key)
        kept = inner if inside is None else _inner(inside, inner, where, key)
        if kept is not None or inner is None:
            made[key] = kept
    return made


def _inner(table: str, value: Any, where: Where, path: str) -> Any:
    if isinstance(value, dict):
        return nested(table, value, where.inside(f"{path}."))
    if not isinstance(value, list):
        return value
    found = [_inner(table, item, where, f"{path}[{n}]") for n, item in enumerate(value) if item is not None]
    return [item for item in found if item is not None]
