"""The tables of an HSDS package joined by their ids into the nested records that documents.py also gives.

Comes in: the rows of each table, with their places. Goes out: (Where, service, organization) in order. Each row is
looked at once, parents before children; a row that names a parent that is not there is a problem.
"""

from collections.abc import Iterable, Iterator, Mapping

from producers.hsds.documents import Record
from producers.hsds.report import Report, Where
from producers.hsds.rows import Row, checked
from producers.hsds.rules import EMBEDDED, LINKS, NAMES, ORPHANS, TABLES, Field, plural
from producers.hsds.services import organization_id

Rows = Iterable[tuple[Where, Row]]
_NESTED = {("organization", "url"): "additional_websites", ("service", "url"): "additional_urls"}
_POINTERS = {table: [f for f in fields.values() if f.table] for table, fields in TABLES.items()}


def joined(tables: Mapping[str, Rows], report: Report) -> Iterator[Record]:
    """The services of a package, each with its organization; the loaded rows are counted on the way."""
    kept: dict[str, dict[str, Row]] = {}
    services: list[Record] = []
    for table in TABLES:
        kept[table] = {}
        waiting: list[tuple[Where, Row, Field]] = []
        for where, cells in tables.get(table, ()):
            if table == "service":
                report.listing.service(cells)
            row = checked(table, cells, where)
            if row is None or _repeated(row, kept[table], where):
                continue
            owners = _owners(table, row, where, kept, waiting)
            if owners is None:
                continue
            kept[table][row["id"]] = row
            if table == "service":
                services.append((where, row, owners[0][1]))
                continue
            report.loaded[table] += 1
            _attach(table, row, owners)
        for where, row, field in waiting:
            if str(row[field.name]) not in kept[table]:
                _dangling(where, row, field)
    slugs = map(organization_id, kept["organization"].values())
    report.listing.organizations |= {slug for slug in slugs if slug}
    yield from services


def _repeated(row: Row, kept: dict[str, Row], where: Where) -> bool:
    row["id"] = str(row["id"])
    if row["id"] not in kept:
        return False
    where.said("id", "a row with this id was read before; this one is not loaded", "give each row its own id")
    return True


def _owners(
    table: str,
    row: Row,
    where: Where,
    kept: dict[str, dict[str, Row]],
    waiting: list[tuple[Where, Row, Field]],
) -> list[tuple[str, Row]] | None:
    """Follow the row's references; the rows it belongs to, None when it cannot be loaded."""
    owners: list[tuple[str, Row]] = []
    missing = False
    belongs = [f.name for f in _POINTERS[table] if f.link == "^"]
    named = [name for name in belongs if row.get(name) is not None]
    for field in _POINTERS[table]:
        if row.get(field.name) is None:
            continue
        if field.table == table:
            waiting.append((where, row, field))
            continue
        found = kept[field.table].get(str(row[field.name]))
        if found is None:
            _dangling(where, row, field)
            missing = missing or field.need == "!"
        elif field.link == "^":
            owners.append((field.table, found))
            del row[field.name]
        elif field.name in EMBEDDED:
            row[EMBEDDED[field.name]] = found
            del row[field.name]
    if table in LINKS:
        owners += _linked(table, row, where, kept)
        belongs = [LINKS[table][0]]
        named = belongs
    if missing or (belongs and not owners and table not in ORPHANS):
        if not named:
            where.said(
                belongs[0], "belongs to nothing; the row is not loaded", f"give one of {', '.join(belongs)}"
            )
        return None
    return owners


def _dangling(where: Where, row: Row, field: Field) -> None:
    value = str(row.pop(field.name))[:60]
    lost = "the row is not loaded" if field.need == "!" else "left out"
    advice = f"add the {field.table} or correct {field.name}"
    where.said(field.name, f"no {field.table} with the id {value!r} was loaded; {lost}", advice)


def _linked(table: str, row: Row, where: Where, kept: dict[str, dict[str, Row]]) -> list[tuple[str, Row]]:
    """What an attribute or metadata row is about: the row of the named table, else of any table."""
    field, entity = LINKS[table]
    id = str(row.pop(field))
    name = row.get(entity)
    known = NAMES.get(name.strip().lower()) if isinstance(name, str) else None
    if name is not None and known is None:
        where.said(
            entity, f"{str(name)[:60]!r} is not an HSDS table; the id is looked up in all", "name the table"
        )
    for candidate in [known] if known else ("service", *kept):
        if (found := kept.get(candidate, {}).get(id)) is not None:
            return [(candidate, found)]
    where.said(
        field,
        f"no {known or 'row'} with the id {id[:60]!r} was loaded; the row is not loaded",
        f"correct {field}",
    )
    return []


def _attach(table: str, row: Row, owners: list[tuple[str, Row]]) -> None:
    for owner, found in owners:
        key = _NESTED.get((owner, table), plural(table))
        if not isinstance(found.get(key), list):  # a column of that name gives way
            found[key] = []
        found[key].append(row)
