"""One row of an HSDS table -> the row as nested JSON has it, by the rules of its table.

Comes in: a flat record. Goes out: what can be used of it, or None; each fault is a problem of the row.
"""

from typing import Any

from producers.hsds import values
from producers.hsds.report import Where
from producers.hsds.rules import LINKS, ORDERED, TABLES, Field

Row = dict[str, Any]
FALLBACK = {("service", "status"): "inactive"}
_CHECKED = {
    table: [field for field in fields.values() if field.need or field.kind]
    for table, fields in TABLES.items()
}


def _in_json(table: str, field: Field) -> Field:
    """What nested JSON must have: ids and links are said by nesting; services.py asks for names and owners."""
    said = field.name == "id" or field.link or field.name in LINKS.get(table, ())
    asked = (table, field.name) in FALLBACK or (
        field.need == "!" and table not in ("service", "organization")
    )
    return field._replace(need=field.need if asked and not said else "")


_CHECKED_JSON = {
    table: [f for f in (_in_json(table, field) for field in fields) if f.need or f.kind]
    for table, fields in _CHECKED.items()
}
_PAIRS = {table: [(low, high) for t, low, high in ORDERED if t == table] for table in TABLES}


def checked(table: str, cells: Row, where: Where, *, in_json: bool = False) -> Row | None:
    """The row without the optional fields that are wrong; None when a required one is."""
    row = dict(cells)
    fits = True
    for field in (_CHECKED_JSON if in_json else _CHECKED)[table]:
        if not _takes(table, field, row, where):
            fits = fits and field.need != "!"
            row.pop(field.name, None)
            if (table, field.name) in FALLBACK:
                row[field.name] = FALLBACK[table, field.name]
    if not fits:
        return None
    consistent(table, cells, row, where)
    return row


def _takes(table: str, field: Field, row: Row, where: Where) -> bool:
    value = row.get(field.name)
    if value is None:
        if field.need:
            lost = _lost(table, field)
            where.said(field.name, f"missing{lost}", f"give each {table} its {field.name}")
        return not field.need
    try:
        row[field.name] = values.read(field.kind, value)
    except ValueError:
        expected = values.KINDS[field.kind][1] if field.kind else "a text"
        where.said(
            field.name, f"{str(value)[:60]!r} is not {expected}{_lost(table, field)}", f"give {expected}"
        )
        return False
    return True


def _lost(table: str, field: Field) -> str:
    if field.need == "!":
        return "; the row is not loaded"
    taken = FALLBACK.get((table, field.name))
    return f"; taken as {taken}" if taken else "; left out" if field.need != "?" or field.kind else ""


def consistent(table: str, cells: Row, row: Row, where: Where) -> None:
    """Leave out fields of a row that contradict each other; `cells` is the row as it came."""
    for low, high in _PAIRS[table]:
        if row.get(low) is not None and row.get(high) is not None and row[low] > row[high]:
            where.said(
                high, f"{row[high]} is before {low} {row[low]}; both left out", f"correct {low} or {high}"
            )
            del row[low], row[high]
    if (more := _MORE.get(table)) is not None:
        more(cells, row, where)


def _capacity(cells: Row, row: Row, where: Where) -> None:
    if row.get("maximum") is not None and row["available"] > row["maximum"]:
        text = f"{row['available']} is more than the maximum {row['maximum']}; the maximum is left out"
        where.said("available", text, "correct available or maximum")
        del row["maximum"]


def _position(cells: Row, row: Row, where: Where) -> None:
    pair = ("latitude", "longitude")
    for field, other in (pair, pair[::-1]):
        if cells.get(field) is None and cells.get(other) is not None:
            where.said(field, f"missing beside {other}; both left out", "give both or neither")
    if any(row.get(field) is None for field in pair):
        for field in pair:
            row.pop(field, None)


def _schedule(cells: Row, row: Row, where: Where) -> None:
    opens, closes = row.get("opens_at"), row.get("closes_at")
    for field, other in (("opens_at", "closes_at"), ("closes_at", "opens_at")):
        if cells.get(field) is None and cells.get(other) is not None:
            where.said(field, f"missing beside {other}", "give both times or neither")
    if opens and closes and opens[:5] >= closes[:5]:
        text = f"closes at {closes}, not after it opens at {opens}; taken as open past midnight"
        where.said("closes_at", text, "correct the times unless it is open past midnight")
    if row.get("until") is not None and row.get("count") is not None:
        where.said("count", "given beside until; left out", "give until or count, not both")
        del row["count"]


_MORE = {"service_capacity": _capacity, "location": _position, "schedule": _schedule}
