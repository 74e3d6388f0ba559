"""The directory door in: HSDS 3.0/3.1, nested JSON or tables -> services for routing and for the directory's pages.

Comes in: a path or decoded documents. Goes out: Imported services and the report of `refex import-directory`.
Must never stop at a bad record: it becomes a problem of the report and the others load.
"""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from producers.hsds.documents import Record, records
from producers.hsds.packages import in_document, in_folder
from producers.hsds.report import Listing, Report, Where
from producers.hsds.services import Imported, imported
from producers.hsds.tables import joined

MAX_RECORD = 900_000
"""Bytes of a service as JSON: with what routing compares it must fit into one record of the log."""

__all__ = ["Imported", "Listing", "Result", "read", "read_path"]


class Result(Struct, frozen=True):
    """What an import would load, its report, and what the files list."""

    services: tuple[Imported, ...]
    report: dict[str, Any]
    listing: Listing


def read(documents: Iterable[tuple[str, Any]]) -> Result:
    """The services of decoded documents, each given with the name of its file."""
    report = Report()
    return _read(_records(documents, report), report)


def read_path(path: Path) -> Result:
    """The services of a JSON file, or of a folder: its CSV tables, and every *.json in the order of their names."""
    report = Report()
    found = _records(_documents(path, report), report)
    if path.is_dir() and any(file.suffix.lower() == ".csv" for file in path.iterdir()):
        found = chain(joined(in_folder(path, report), report), found)
    with _no_collection():
        return _read(found, report)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Millions of records without cycles live until the end; looking for garbage took a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _records(documents: Iterable[tuple[str, Any]], report: Report) -> Iterator[Record]:
    for file, document in documents:
        tables = in_document(file, document, report)
        yield from records(file, document, report) if tables is None else joined(tables, report)


def _read(found: Iterable[Record], report: Report) -> Result:
    loaded: dict[str, Imported] = {}
    owners: dict[str, dict[str, Any]] = {}
    for where, row, organization in found:
        made = imported(where, row, organization)
        if made is None or not _is_its_own(where, made, organization, owners):
            continue
        if (size := len(msgspec.json.encode(made.body))) > MAX_RECORD:
            where.said(
                "", f"the service has {size} bytes; at most {MAX_RECORD} are loaded", "shorten its texts"
            )
            continue
        if made.service.id in loaded:
            where.said("id", "a service with this id was read before", "give each service its own id")
            continue
        loaded[made.service.id] = made
        report.loaded["service"] += 1
    report.loaded["organization"] = len({i.service.organization for i in loaded.values()})
    return Result(tuple(loaded.values()), report.as_json(), report.listing)


def _is_its_own(
    where: Where, made: Imported, organization: dict[str, Any], owners: dict[str, dict[str, Any]]
) -> bool:
    """Whether our organization id still stands for one organization; two must never share a tenant."""
    first = owners.setdefault(made.service.organization, organization)
    if first.get("id") and organization.get("id"):
        same = first["id"] == organization["id"]
    else:
        same = first.get("name") == organization.get("name")
    if same:
        return True
    where.said(
        "organization",
        f"another organization already has the id {made.service.organization!r} here",
        "give it an organization identifier of type refex of its own",
    )
    return False


def _documents(path: Path, report: Report) -> Iterator[tuple[str, Any]]:
    found = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not found and not any(path.glob("*.[cC][sS][vV]")):
        Where(report, path.name, 0).said(
            "", "no JSON or CSV file here", "give an HSDS JSON file, or a folder of JSON or of CSV files"
        )
    for file in found:
        if file.name == "datapackage.json":
            continue
        try:
            yield file.name, msgspec.json.decode(file.read_bytes())
        except OSError as error:
            report.listing.unread = True
            Where(report, file.name, 0).said("", f"cannot be opened ({error.strerror})", "check the path")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            report.listing.unread = True
            Where(report, file.name, 0).said(
                "", f"not JSON in UTF-8 ({error})", "send HSDS JSON, or the folder of the CSV files"
            )
