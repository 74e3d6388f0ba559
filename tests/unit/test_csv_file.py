"""A plan's CSV: every good line is read, every bad one says where and what to do."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import csv_file, hsds
from producers.csv_file import COLUMNS, REQUIRED, Row

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HEADER = ",".join(REQUIRED)
GOOD = "R1,P1,Luz,Maple-Test,1984-07-19,food-insecurity,active"


def read(text: str | bytes) -> list[Row]:
    return list(csv_file.read([text.encode() if isinstance(text, str) else text], NOW))


def details(rows: list[Row]) -> list[tuple[int, str, str]]:
    return [(row.line, p.column, p.detail) for row in rows for p in row.problems]


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{GOOD}\n",
        f"{HEADER}\n{GOOD}",
        f"{HEADER}\r\n{GOOD}\r\n",
        f"{HEADER}\r{GOOD}\r",
        f"\ufeff{HEADER}\n{GOOD}\n",
        f"{HEADER}\n\n{GOOD}\n\n,,,,,,\n",
        f"{HEADER}\n{GOOD},,\n",
        f"{HEADER.upper().replace('_', ' ')}\n{GOOD}\n",
    ],
    ids=["plain", "no last newline", "crlf", "cr", "bom", "blank lines", "spare commas", "header as titles"],
)
def test_a_good_line_is_read_however_it_was_saved(text: str) -> None:
    rows = read(text)
    assert [row.submission.sender_referral_id for row in rows if row.submission] == ["R1"]
    assert not details(rows)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_chunks_may_break_anywhere(size: int) -> None:
    data = f"\ufeff{HEADER}\r\n{GOOD.replace('Luz', 'Zoë')}\r\n".encode()
    rows = list(csv_file.read((data[i : i + size] for i in range(0, len(data), size)), NOW))
    assert [row.submission.person.given_name for row in rows if row.submission] == ["Zoë"]


def test_columns_fill_the_places_they_say() -> None:
    header = f"{HEADER},city,sensitivity,excluded_organizations,need_note"
    (row,) = read(f'{header}\n{GOOD},Oakland,violence; part2,a;b;,"two\nlines, and ""quotes"""\n')
    assert row.body is not None and row.submission is not None
    assert row.body["person"]["address"] == {"city": "Oakland"}
    assert row.submission.sensitivity == ("violence", "part2")
    assert row.submission.excluded_organizations == ("a", "b")
    assert row.submission.need.note == 'two\nlines, and "quotes"'


def test_every_line_is_named_by_where_it_starts() -> None:
    bad = GOOD.replace("1984-07-19", "07/19/1984")
    rows = read(f'{HEADER},need_note\n{GOOD},"a\nb"\n{bad},\n')
    assert details(rows) == [(4, "birth_date", "not a date; send YYYY-MM-DD")]


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        (GOOD.replace("food-insecurity", "food"), "need_domain", "unknown need domain"),
        (GOOD.replace("R1", ""), "sender_referral_id", "required"),
        (GOOD.replace("active", ""), "consent_status", "required"),
        (GOOD.replace("active", "yes"), "consent_status", "use one of"),
        (GOOD.replace("Luz", "L\x00z"), "given_name", "NUL"),
        (GOOD + ",x", "", "8 cells for 7 columns"),
        ('R1,"P"1",Luz', "", "not CSV"),
    ],
)
def test_a_bad_line_is_a_problem_and_the_next_one_is_read(line: str, column: str, words: str) -> None:
    rows = read(f"{HEADER}\n{line}\n{GOOD}\n")
    assert [(n, c) for n, c, _ in details(rows)] == [(2, column)]
    assert words in details(rows)[0][2]
    assert [row.line for row in rows if row.submission] == [3]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (HEADER.encode(), "only a header"),
        (f"{HEADER}\n{GOOD}".encode("utf-16"), "UTF-16"),
        (f"{HEADER}\n{GOOD}".encode("utf-16-le"), "UTF-16"),
        (f"{HEADER}\n{GOOD.replace('Luz', 'Zoë')}".encode("latin-1"), "not UTF-8"),
        (b"sender_referral_id,person_id\n1,2\n", "columns missing: given_name, family_name, birth_date"),
        (HEADER.replace(",", ";").encode(), "separated by ';'"),
        (f"{HEADER},phone,phone\n{GOOD},1,2\n".encode(), "named twice: phone"),
        (f"{HEADER}\n{GOOD[:-6]}".encode() + b"x" * 10_000_000, "longer than"),
        (f'{HEADER},need_note\n{GOOD},"'.encode() + b"x\n" * 5_000_000 + b'"', "a cell is larger"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_once(data: bytes, words: str) -> None:
    found = details(read(data))
    assert len(found) == 1
    assert words in found[0][2]


def test_a_quote_never_closed_is_a_problem() -> None:
    assert "not CSV" in details(read(f'{HEADER}\n"{GOOD}\n'))[0][2]


def test_unknown_columns_warn_once_and_are_left_out() -> None:
    rows = read(f"{HEADER},shoe_size\n{GOOD},9\n{GOOD},9\n")
    assert [bool(row.warnings) for row in rows] == [True, False, False]
    assert "shoe_size" in rows[0].warnings[0]
    assert sum(row.submission is not None for row in rows) == 2


def test_a_path_is_read_and_a_missing_one_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n", encoding="utf-8")
    assert [row.line for row in csv_file.read(path, NOW)] == [2]
    assert "cannot be opened" in details(list(csv_file.read(tmp_path / "none.csv", NOW)))[0][2]


def test_required_columns_are_columns() -> None:
    assert set(REQUIRED) <= set(COLUMNS)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_end_in_rows(chunks: list[bytes]) -> None:
    start = f"{HEADER}\n{GOOD}\n".encode()
    assert list(csv_file.read(chunks, NOW))
    assert list(csv_file.read([start, *chunks], NOW))


def test_another_readers_wider_cells_do_not_widen_these(tmp_path: Path) -> None:
    tmp_path.joinpath("services.csv").write_text("id,name\n", encoding="utf-8")
    hsds.read_path(tmp_path)
    wide = f'{HEADER},need_note\n{GOOD},"' + "x\n" * 100_000 + '"'
    assert "a cell is larger" in details(read(wide))[0][2]
