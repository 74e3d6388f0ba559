"""HSDS tables as files: a folder of CSVs (Tabular Data Package), or one JSON object of arrays named after the CSVs.

Comes in: a path or a decoded object. Goes out: the rows of each table with their places (the header is row 1).
Must never stop at a bad row or file: it is a problem and the next one is read.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from producers.hsds.report import Report, Where
from producers.hsds.rows import Row
from producers.hsds.rules import NAMES, TABLES
from producers.hsds.tables import Rows

MAX_CELL = 16 * 1024 * 1024
PACKAGE = "datapackage.json"
SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
TEMPLATES = frozenset(
    {"human_services_data", "human-services-data", "hsds", "openreferral", "datapackage", "name"}
)


def in_folder(folder: Path, report: Report) -> dict[str, Rows]:
    """The tables of a folder's CSV files."""
    said = _resources(folder, report)
    csv.field_size_limit(MAX_CELL)
    found: dict[str, Rows] = {}
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() == ".csv"):
        table = NAMES.get(path.stem.lower()) or said.get(path.name)
        where = Where(report, path.name, 0)
        if table is None:
            where.said(
                "", "not an HSDS table; not read", "name the file after its table, such as services.csv"
            )
        elif table in found:
            where.said("", f"a second file of the table {table}; not read", "put all its rows in one file")
        else:
            found[table] = rows(path, table, report)
    return found


def in_document(file: str, document: Any, report: Report) -> dict[str, Rows] | None:
    """The tables of an object whose keys are names of CSV files; None for any other document."""
    if not isinstance(document, dict) or not document or not all(str(k).endswith(".csv") for k in document):
        return None
    found: dict[str, Rows] = {}
    for name, items in document.items():
        table = NAMES.get(name.removesuffix(".csv"))
        if table is None or not isinstance(items, list) or table in found:
            Where(report, file, 0).said(
                name, "not an array of an HSDS table; not read", "name it such as services.csv"
            )
        else:
            report.read[table] += len(items)
            found[table] = _items(file, name, items, report)
    return found


def _items(file: str, name: str, items: list[Any], report: Report) -> Rows:
    for number, item in enumerate(items, 1):
        where = Where(report, file, number, f"{name}/")
        if isinstance(item, dict):
            yield where, {key: value for key, value in item.items() if not isinstance(value, dict | list)}
        else:
            where.said("", "not an object", "send each row as an object")


def _resources(folder: Path, report: Report) -> dict[str, str]:
    """File names and the tables datapackage.json says they are; without a good one the usual names are enough."""
    where = Where(report, PACKAGE, 0)
    try:
        document = msgspec.json.decode((folder / PACKAGE).read_bytes())
        pairs = {str(r["path"]): NAMES.get(str(r.get("name")).lower()) for r in document["resources"]}
        report.listing.source = source_name(document.get("name"))
    except FileNotFoundError:
        where.said(
            "", "warning: missing; tables are known by their file names", "add the package's description"
        )
        return {}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        where.said(
            "", f"warning: cannot be read ({error}); tables are known by their file names", "send it as JSON"
        )
        return {}
    except (KeyError, TypeError, AttributeError):
        where.said(
            "resources", "warning: not a data package; tables are known by their file names", "correct it"
        )
        return {}
    for path in sorted(p for p in pairs if not (folder / p).is_file()):
        where.said("resources", f"warning: {path[:200]!r} is not here", "add the file or drop the resource")
    return {path: table for path, table in pairs.items() if table is not None}


def source_name(given: object) -> str | None:
    """The name of a source as it may be one; None for none, for what templates of packages are called, for others."""
    known = isinstance(given, str) and SOURCE.fullmatch(given) is not None and given.lower() not in TEMPLATES
    return str(given) if known else None


def rows(path: Path, table: str, report: Report) -> Rows:
    """The rows of one CSV file; cells are text, empty ones are left out."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as opened:
            yield from _rows(path.name, csv.reader(opened, strict=True), table, report)
    except OSError as error:
        _unread(table, report)
        Where(report, path.name, 0).said("", f"cannot be opened ({error.strerror})", "check the file")


def _rows(file: str, lines: Iterator[list[str]], table: str, report: Report) -> Rows:
    columns: list[str] | None = None
    number = 0
    while True:
        number += 1
        where = Where(report, file, number)
        try:
            cells = next(lines)
        except StopIteration:
            break
        except csv.Error as error:
            report.read[table] += columns is not None
            _unread(table, report)
            where.said(
                "",
                f"not CSV ({error}); the row is not loaded",
                "put cells with quotes or line ends in quotes",
            )
            continue
        if columns is None:
            columns = _header(cells, table, where)
            if not columns:
                _unread(table, report)
                return
        elif any(cells):
            report.read[table] += 1
            if row := _row(cells, columns, where):
                yield where, row
            else:
                _unread(table, report)
    if columns is None:
        _unread(table, report)
        Where(report, file, 1).said("", "empty: no header", "send the column names in the first row")


def _unread(table: str, report: Report) -> None:
    """A row that cannot be read may have been any service: then nothing is known to be listed no more."""
    report.listing.unread = report.listing.unread or table == "service"


def _header(cells: list[str], table: str, where: Where) -> list[str]:
    """The columns' names; a repeated one is named "" and left out. None at all when the file cannot be read."""
    columns = [cell.strip().lower() for cell in cells]
    if "id" not in columns:
        where.said("id", "no such column; the file is not read", "send HSDS CSV in UTF-8 with a header")
        return []
    for position, column in enumerate(columns):
        if not column or column in columns[:position]:
            where.said(column, "a column without a name of its own; left out", "name each column once")
            columns[position] = ""
        elif column not in TABLES[table]:
            where.said(column[:60], f"unknown column of {table}; kept as it is", "check its spelling")
    for field in TABLES[table].values():
        if field.need == "!" and field.name not in columns:
            where.said(field.name, "a required column is missing; no row can be loaded", "add the column")
    return columns


def _row(cells: list[str], columns: list[str], where: Where) -> Row:
    if len(cells) != len(columns):
        lost = (
            "the row is not loaded" if len(cells) < len(columns) or any(cells[len(columns) :]) else "cut off"
        )
        where.said(
            "", f"{len(cells)} cells under {len(columns)} columns; {lost}", "give each column one cell"
        )
        if lost != "cut off":
            return {}
    row: Row = {}
    for column, cell in zip(columns, cells, strict=False):
        if not cell or not column or not (text := cell.strip()):
            continue
        if cell.isascii() or _is_utf8(cell):
            row[column] = text
        else:
            where.said(column, "not UTF-8; left out", "save the file as UTF-8")
    return row


def _is_utf8(cell: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in cell)
