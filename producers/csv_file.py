"""A plan's CSV file of referrals -> one Row for each line: a Submission, or what is wrong and where.

Comes in: UTF-8 CSV as a path or a stream of bytes; COLUMNS maps its columns to the submission. Goes out: rows
as they are read. Must never hold the whole file, nor stop at a bad line that later lines do not depend on.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from referrals import check
from referrals.submission import Submission

# Column -> its place in the submission (interfaces.md); [] = several values separated by ";".
COLUMNS: dict[str, str] = {
    "sender_referral_id": "sender_referral_id",
    "case_id": "case_id",
    "requested_at": "requested_at",
    "person_id": "person/person_id",
    "given_name": "person/given_name",
    "family_name": "person/family_name",
    "birth_date": "person/birth_date",
    "gender": "person/gender",
    "phone": "person/phone",
    "email": "person/email",
    "address_line": "person/address/line",
    "city": "person/address/city",
    "county": "person/address/county",
    "state": "person/address/state",
    "postal_code": "person/address/postal_code",
    "spoken_language": "person/spoken_language",
    "service_area_postal_code": "service_area/postal_code",
    "service_area_county": "service_area/county",
    "need_domain": "need/domain",
    "need_note": "need/note",
    "programme": "need/programme",
    "priority": "priority",
    "sensitivity": "sensitivity[]",
    "payer": "coverage/payer",
    "member_id": "coverage/member_id",
    "preferred_organization": "preferred_organization",
    "excluded_organizations": "excluded_organizations[]",
    "consent_status": "consent/status",
    "consent_date": "consent/date",
}
ALIASES = {"sex": "gender", "language": "spoken_language", "program": "programme", "zip": "postal_code"}
REQUIRED = (
    "sender_referral_id",
    "person_id",
    "given_name",
    "family_name",
    "birth_date",
    "need_domain",
    "consent_status",
)
MAX_LINE = 128 * 1024  # of a cell, too; csv's limit is the process', so whoever reads says it first
CHUNK = 64 * 1024


class CellProblem(Struct, frozen=True):
    """One thing wrong with a line: the column ("" for the whole line) and what to do about it."""

    column: str
    detail: str


class Row(Struct, frozen=True):
    """One line: its submission and canonical JSON, or problems; a warning refuses nothing."""

    line: int
    submission: Submission | None = None
    body: dict[str, Any] | None = None
    problems: tuple[CellProblem, ...] = ()
    warnings: tuple[str, ...] = ()


class Unreadable(ValueError):
    """The file cannot be read on from here; the message says what to do."""


def read(source: Path | Iterable[bytes], now: datetime) -> Iterator[Row]:
    """Every line of the file as a Row, lazily; a file that cannot be read ends in one Row with the problem."""
    line = 1
    try:
        for row in _rows(_lines(_chunks(source)), now):
            line = row.line
            yield row
    except Unreadable as error:
        yield Row(line, problems=(CellProblem("", str(error)),))


def _rows(lines: Iterator[str], now: datetime) -> Iterator[Row]:
    csv.field_size_limit(MAX_LINE)
    reader = csv.reader(lines, strict=True)
    header = _header(reader)
    if unknown := [name for name in header if name not in COLUMNS]:
        yield Row(1, warnings=(f"columns not known here are left out: {', '.join(map(repr, unknown))}",))
    empty = True
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if "field larger" in str(error):
                raise Unreadable(
                    f"line {line}: a cell is larger than {MAX_LINE} characters; shorten it"
                ) from None
            yield Row(line, problems=(CellProblem("", f"not CSV ({error}); check the quotes of this line"),))
            empty = False
            continue
        if cells is None:
            break
        if any(cell.strip() for cell in cells):
            empty = False
            yield _row(line, header, cells, now)
    if empty:
        raise Unreadable("only a header; add one line for each referral")


def _row(line: int, header: list[str], cells: list[str], now: datetime) -> Row:
    if any(cell.strip() for cell in cells[len(header) :]):
        detail = f"{len(cells)} cells for {len(header)} columns; quote cells that hold a comma"
        return Row(line, problems=(CellProblem("", detail),))
    body = _body(dict(zip(header, cells, strict=False)))
    try:
        return Row(line, check.submission(body, now), body)
    except check.Invalid as invalid:
        problems = tuple(CellProblem(_column(p.pointer), p.detail) for p in invalid.problems)
        return Row(line, problems=problems)


def _body(cells: dict[str, str]) -> dict[str, Any]:
    """The submission's JSON of a line; an empty cell is left out, for `check` to say when it is needed."""
    body: dict[str, Any] = {"person": {}, "need": {}, "consent": {}}
    for column, cell in cells.items():
        value = cell.strip()
        if not value or column not in COLUMNS:
            continue
        *parents, last = COLUMNS[column].split("/")
        part = body
        for parent in parents:
            part = part.setdefault(parent, {})
        if last.endswith("[]"):
            part[last[:-2]] = [item for v in value.split(";") if (item := v.strip())]
        else:
            part[last] = value
    return body


def _column(pointer: str) -> str:
    """The column a pointer into the submission came from; the longest that fits, else the pointer."""
    places = {f"/{place.removesuffix('[]')}": column for column, place in COLUMNS.items()}
    while pointer and pointer not in places:
        pointer = pointer.rpartition("/")[0]
    return places.get(pointer, "")


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        cells = next(reader, None)
    except csv.Error as error:
        raise Unreadable(f"the header is not CSV ({error}); name the columns in the first line") from None
    if not cells or not any(cell.strip() for cell in cells):
        raise Unreadable("the file is empty; the first line must name the columns")
    header = [_name(cell) for cell in cells]
    if len(header) == 1 and (separator := next((s for s in ";\t|" if s in cells[0]), None)):
        raise Unreadable(f"columns are separated by {separator!r}; save the file with commas")
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise Unreadable(f"columns named twice: {', '.join(twice)}; keep one of each")
    if missing := [name for name in REQUIRED if name not in header]:
        raise Unreadable(f"columns missing: {', '.join(missing)}; add them to the first line")
    return header


def _name(cell: str) -> str:
    plain = cell.strip().lower().replace(" ", "_")
    return ALIASES.get(plain, plain)


def _chunks(source: Path | Iterable[bytes]) -> Iterator[bytes]:
    if not isinstance(source, Path):
        yield from source
        return
    try:
        with source.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise Unreadable(f"cannot be opened ({error.strerror}); check the path") from None


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines of a UTF-8 stream, with or without BOM, whatever its line ends; never more than MAX_LINE buffered."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")(), translate=True)
    rest, number, first = "", 0, True
    for chunk in chunks:
        if first and (b"\x00" in chunk[:4] or chunk[:2] in (b"\xff\xfe", b"\xfe\xff")):
            raise Unreadable("the file is UTF-16, not UTF-8; save it as 'CSV UTF-8'")
        first = first and not chunk
        *whole, rest = (rest + _decoded(decoder, chunk, number)).split("\n")
        for line in whole:
            number += 1
            yield _bounded(line, number) + "\n"
        _bounded(rest, number + 1)
    if rest := rest + _decoded(decoder, b"", number, final=True):
        yield rest


def _bounded(line: str, number: int) -> str:
    if len(line) > MAX_LINE:
        raise Unreadable(
            f"line {number} is longer than {MAX_LINE} characters; shorten it or check its quotes"
        )
    return line


def _decoded(decoder: io.IncrementalNewlineDecoder, chunk: bytes, number: int, *, final: bool = False) -> str:
    try:
        return decoder.decode(chunk, final)
    except UnicodeDecodeError:
        raise Unreadable(f"not UTF-8 somewhere after line {number}; save the file as 'CSV UTF-8'") from None
