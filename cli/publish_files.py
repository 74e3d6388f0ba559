"""What `refex publish` finds in a file: submissions and problems, whatever the format.

Comes in: a path. Goes out: Found, in the file's order. Must never raise for a bad referral, only for a file that
is none of the formats.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct

from producers import csv_file, fhir
from referrals import check
from referrals.submission import Submission


class Found(Struct, frozen=True):
    """One referral of the file: where it stood, and what it is or why it is none."""

    where: str
    submission: Submission | None = None
    problem: str | None = None


def read(file: Path, kind: str | None, known: Callable[[], Mapping[str, str]] = dict) -> list[Found]:
    """The referrals of a file; raises click.ClickException when it cannot be read at all.

    `known` tells organization -> type, whom a Bundle may name; it is asked only for a Bundle.
    """
    now = datetime.now(UTC)
    if (kind or file.suffix.lower().lstrip(".")) == "csv":
        return list(_csv(file, now))
    found: list[Found] = []
    for number, document in enumerate(_documents(file), 1):
        where = f"{file.name}:{number}"
        is_fhir = kind == "fhir" or (
            kind is None and isinstance(document, dict) and "resourceType" in document
        )
        found += _fhir(where, document, now, known()) if is_fhir else _json(where, document, now)
    return found


def _documents(file: Path) -> list[Any]:
    """One JSON document, a list of them, or one a line."""
    content = file.read_bytes()
    try:
        whole = msgspec.json.decode(content)
        return whole if isinstance(whole, list) else [whole]
    except (msgspec.DecodeError, RecursionError) as error:
        try:
            return [msgspec.json.decode(line) for line in content.splitlines() if line.strip()]
        except (msgspec.DecodeError, RecursionError):
            raise click.ClickException(
                f"{file} is neither JSON nor JSON lines ({error}); for another format say --format"
            ) from error


def _csv(file: Path, now: datetime) -> Iterator[Found]:
    for row in csv_file.read(file, now):
        for warning in row.warnings:
            click.echo(f"{file.name}:{row.line}: {warning}", err=True)
        if row.submission or row.problems:
            said = "; ".join(f"{p.column}: {p.detail}" if p.column else p.detail for p in row.problems)
            yield Found(f"{file.name}:{row.line}", row.submission, said or None)


def _fhir(where: str, document: Any, now: datetime, known: Mapping[str, str]) -> list[Found]:
    named = {t: [o for o, kind in known.items() if kind == t] for t in ("cbo", "mco")}
    try:
        body = document if isinstance(document, dict) else msgspec.json.encode(document)
        return [
            Found(where, one.submission)
            for one in fhir.submissions(body, now, cbos=named["cbo"], payers=named["mco"])
        ]
    except fhir.FhirProblem as error:
        return [Found(where, problem=str(error))]


def _json(where: str, document: Any, now: datetime) -> list[Found]:
    try:
        return [Found(where, one) for one in check.submissions(document, now)]
    except check.Invalid as error:
        return [Found(where, problem=str(error))]
