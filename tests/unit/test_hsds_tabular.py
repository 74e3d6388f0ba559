"""HSDS as tables: a whole package equals its JSON twin; every planted fault is said with file, row and field."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.import_directory import import_directory
from producers import hsds
from tests.support.hsds_package import TABLES, Tables, twin, write

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "hsds"
Place = tuple[str, int, str]


def places(result: hsds.Result) -> list[Place]:
    assert all(p["problem"] and p["next"] for p in result.report["problems"])
    return [(p["file"], p["row"], p["field"]) for p in result.report["problems"]]


def changed(file: str, row: int, **fields: Any) -> Tables:
    """The whole package with fields of one row (as counted in the file) set; None takes the field away."""
    tables = deepcopy(TABLES)
    tables[file][row - 2] |= fields
    return tables


def test_a_whole_package_is_its_json_twin(tmp_path: Path) -> None:
    tables = hsds.read_path(write(tmp_path, TABLES))
    nested = hsds.read([("twin.json", twin())])
    assert places(tables) == places(nested) == []
    assert len(nested.services) == 2
    assert tables.services == nested.services
    assert hsds.read([("tabular.json", TABLES)]).services == nested.services


def test_every_row_of_a_whole_package_is_read_and_loaded(tmp_path: Path) -> None:
    report = hsds.read_path(write(tmp_path, TABLES)).report
    assert report["read"] == report["loaded"]
    assert sorted(report["read"].values()) == sorted(len(rows) for rows in TABLES.values())


OPTIONAL = [
    ("services.csv", 2, "status", "open"),
    ("services.csv", 2, "status", None),
    ("services.csv", 2, "minimum_age", "young"),
    ("services.csv", 2, "maximum_age", 12),
    ("services.csv", 2, "assured_date", "02/01/2026"),
    ("services.csv", 2, "last_modified", "yesterday"),
    ("services.csv", 2, "url", "www.h.example"),
    ("services.csv", 2, "email", "a at h"),
    ("services.csv", 2, "program_id", "nobody"),
    ("organizations.csv", 2, "description", None),
    ("organizations.csv", 3, "parent_organization_id", "nobody"),
    ("locations.csv", 2, "location_type", "tent"),
    ("locations.csv", 2, "latitude", 91),
    ("locations.csv", 2, "longitude", "west"),
    ("locations.csv", 2, "longitude", None),
    ("locations.csv", 2, "organization_id", "nobody"),
    ("addresses.csv", 2, "country", "United States"),
    ("addresses.csv", 2, "address_type", "home"),
    ("addresses.csv", 2, "postal_code", None),
    ("phones.csv", 2, "extension", "x7"),
    ("phones.csv", 2, "location_id", "nobody"),
    ("schedules.csv", 2, "freq", "DAILY"),
    ("schedules.csv", 2, "byday", "Monday"),
    ("schedules.csv", 2, "wkst", "XX"),
    ("schedules.csv", 2, "opens_at", "9 am"),
    ("schedules.csv", 2, "closes_at", "08:00"),
    ("schedules.csv", 2, "closes_at", None),
    ("schedules.csv", 2, "timezone", 99),
    ("languages.csv", 3, "code", "q1"),
    ("service_areas.csv", 2, "extent_type", "map"),
    ("service_areas.csv", 2, "uri", "not a uri"),
    ("cost_options.csv", 2, "currency", "dollars"),
    ("cost_options.csv", 2, "amount", "free"),
    ("service_capacity.csv", 2, "available", 11),
    ("service_capacity.csv", 2, "maximum", "nan"),
    ("attributes.csv", 2, "link_entity", "thing"),
    ("metadata.csv", 2, "last_action_date", "2026-13-01"),
    ("taxonomy_terms.csv", 2, "taxonomy_id", "nobody"),
    ("taxonomy_terms.csv", 3, "parent_id", "nobody"),
]


@pytest.mark.parametrize(("file", "row", "field", "value"), OPTIONAL)
def test_a_fault_in_an_optional_field_is_said_once_and_the_row_loads(
    tmp_path: Path, file: str, row: int, field: str, value: Any
) -> None:
    result = hsds.read_path(write(tmp_path, changed(file, row, **{field: value})))
    assert places(result) == [(file, row, field)]
    assert result.report["read"] == result.report["loaded"]


REQUIRED = [
    ("phones.csv", 3, "id", None),
    ("phones.csv", 3, "id", "t1"),
    ("phones.csv", 3, "number", None),
    ("phones.csv", 3, "contact_id", "nobody"),
    ("phones.csv", 3, "contact_id", None),
    ("accessibility.csv", 2, "location_id", "nobody"),
    ("organization_identifiers.csv", 2, "identifier", None),
    ("service_capacity.csv", 2, "available", "many"),
    ("service_capacity.csv", 2, "updated", None),
    ("service_capacity.csv", 2, "unit_id", "nobody"),
    ("urls.csv", 2, "url", "n.example"),
    ("metadata.csv", 2, "resource_id", "nobody"),
    ("cost_options.csv", 2, "service_id", None),
]


@pytest.mark.parametrize(("file", "row", "field", "value"), REQUIRED)
def test_a_fault_in_a_required_field_is_said_and_only_its_row_is_not_loaded(
    tmp_path: Path, file: str, row: int, field: str, value: Any
) -> None:
    result = hsds.read_path(write(tmp_path, changed(file, row, **{field: value})))
    found = places(result)
    assert [place[:2] for place in found] == [(file, row)]
    assert found[0][2] in (field, "location_id")  # a phone without any owner is said at its first owner field
    assert sum(result.report["read"].values()) == sum(result.report["loaded"].values()) + 1


@pytest.mark.parametrize(("field", "value"), [("name", None), ("organization_id", "nobody"), ("id", "s2")])
def test_a_service_that_cannot_load_takes_what_hangs_on_it_along_and_no_other(
    tmp_path: Path, field: str, value: Any
) -> None:
    tables = changed("services.csv", 2, **{field: value})
    if field == "id":
        tables["services.csv"].reverse()
    result = hsds.read_path(write(tmp_path, tables))
    assert ("services.csv", 3 if field == "id" else 2, field) in places(result)
    assert ("schedules.csv", 2, "service_id") in places(result)
    assert [i.service.name for i in result.services] == ["Camas para niños"]


PHONES = "id,service_id,number,extension\n"
FILES: list[tuple[str, bytes, list[Place], int]] = [
    ("too few cells", b"t1,s1\nt2,s1,5,\n", [("phones.csv", 2, "")], 1),
    ("too many cells", b"t1,s1,5,,x\nt2,s1,5,\n", [("phones.csv", 2, "")], 1),
    ("too many empty cells", b"t1,s1,5,,\n", [("phones.csv", 2, "")], 1),
    ("blank lines", b"\n\nt1,s1,,\n", [("phones.csv", 4, "number")], 0),
    ("line ends in cells", b'"t\n1",s1,5,\nt2,s1,5,x\n', [("phones.csv", 3, "extension")], 2),
    ("not UTF-8", b"t1,s1,5,\xe9\nt2,s1,5,\n", [("phones.csv", 2, "extension")], 2),
    ("not UTF-8 where required", b"t1,s1,\xe9,\n", [("phones.csv", 2, "number")] * 2, 0),
    ("a quote inside a cell", b't1,s1,"5"5,\nt2,s1,5,\n', [("phones.csv", 2, "")], 1),
    ("a quote without end", b't1,s1,5,\nt2,s1,"5,\n', [("phones.csv", 3, "")], 1),
]


@pytest.mark.parametrize(("text", "expected", "loaded"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_broken_row_is_said_and_the_others_load(
    tmp_path: Path, text: bytes, expected: list[Place], loaded: int
) -> None:
    tables = {name: rows for name, rows in TABLES.items() if name != "languages.csv"}
    write(tmp_path, tables)
    (tmp_path / "phones.csv").write_bytes(PHONES.encode() + text)
    result = hsds.read_path(tmp_path)
    assert places(result) == expected
    assert result.report["loaded"].get("phone", 0) == loaded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", [(1, "")]),
        (b"service_id,number\ns1,5\n", [(1, "id")]),
        (b"\xff\xfei\x00d\x00\n\x00", [(1, "id")]),
        (b"id,service_id\nt1,s1\n", [(1, "number"), (2, "number")]),
        (b"id,service_id,number,colour\nt1,s1,5,red\n", [(1, "colour")]),
        (b"id,service_id,number,number,\nt1,s1,5,6,\n", [(1, "number"), (1, "")]),
        (b"\xef\xbb\xbfID,service_id,number\r\nt1,s1,5\r\n", []),
    ],
    ids=["empty", "no id", "UTF-16", "no required column", "unknown column", "repeated columns", "BOM"],
)
def test_a_broken_header_is_said(tmp_path: Path, text: bytes, expected: list[tuple[int, str]]) -> None:
    write(tmp_path, {name: rows for name, rows in TABLES.items() if name != "languages.csv"})
    (tmp_path / "phones.csv").write_bytes(text)
    result = hsds.read_path(tmp_path)
    assert places(result) == [("phones.csv", row, field) for row, field in expected]
    assert len(result.services) == 2


def test_an_unknown_column_is_kept_and_an_unknown_file_is_said(tmp_path: Path) -> None:
    write(tmp_path, changed("services.csv", 2, colour="red"))
    (tmp_path / "notes.csv").write_text("a,b\n", encoding="utf-8")
    (tmp_path / "url.csv").mkdir()
    (tmp_path / "urls.csv").unlink()
    (tmp_path / "unit.csv").write_text("id,name\nu2,beds\n", encoding="utf-8")
    result = hsds.read_path(tmp_path)
    assert sorted(places(result)) == [
        ("datapackage.json", 0, "resources"),
        ("notes.csv", 0, ""),
        ("service_capacity.csv", 2, "unit_id"),
        ("services.csv", 1, "colour"),
        ("units.csv", 0, ""),
        ("url.csv", 0, ""),
    ]
    assert result.services[0].body["colour"] == "red"


@pytest.mark.parametrize(
    "text", [None, "{", "[]", '{"resources": [1]}', '{"resources": [{"path": "no.csv"}]}']
)
def test_a_missing_or_bad_datapackage_is_a_warning(tmp_path: Path, text: str | None) -> None:
    package = write(tmp_path, TABLES) / "datapackage.json"
    package.unlink() if text is None else package.write_text(text, encoding="utf-8")
    result = hsds.read_path(tmp_path)
    assert [place[0] for place in places(result)] == ["datapackage.json"]
    assert "warning" in result.report["problems"][0]["problem"]
    assert len(result.services) == 2


def test_a_datapackage_may_name_the_files_otherwise(tmp_path: Path) -> None:
    write(tmp_path, TABLES)
    (tmp_path / "services.csv").rename(tmp_path / "export-7.csv")
    package = tmp_path / "datapackage.json"
    package.write_text(package.read_text(encoding="utf-8").replace('"services.csv"', '"export-7.csv"'))
    assert places(hsds.read_path(tmp_path)) == []


def test_the_command_takes_a_folder_of_tables(tmp_path: Path) -> None:
    write(tmp_path, changed("services.csv", 2, status="open"))
    ran = CliRunner().invoke(import_directory, [str(tmp_path), "--dry-run", "--json"])
    assert ran.exit_code == 0 and json.loads(ran.stdout)["loaded"]["service"] == 2
    assert CliRunner().invoke(import_directory, [str(tmp_path), "--dry-run", "--strict"]).exit_code == 1


def test_a_column_named_like_nested_rows_gives_way_to_them(tmp_path: Path) -> None:
    result = hsds.read_path(write(tmp_path, changed("services.csv", 2, phones="510")))
    assert places(result) == [("services.csv", 1, "phones")]
    assert [phone["id"] for phone in result.services[0].body["phones"]] == ["t1"]


def test_a_header_that_is_not_utf8_can_be_reported(tmp_path: Path) -> None:
    write(tmp_path, TABLES)
    (tmp_path / "funding.csv").write_bytes(b"id,service_id,na\xefve\nf1,s1,x\n")
    ran = CliRunner().invoke(import_directory, [str(tmp_path), "--dry-run", "--json"])
    assert json.loads(ran.stdout)["problems"][0]["field"] == "na?ve"


CELL = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["s1", "o1", "1e99"])
)
FIELDS = [(file, field) for file, rows in TABLES.items() for field in rows[0]]


@given(st.lists(st.tuples(st.sampled_from(FIELDS), CELL), max_size=6))
@settings(deadline=None)
def test_any_value_in_any_column_is_loaded_or_a_problem(changes: list[tuple[tuple[str, str], Any]]) -> None:
    tables = deepcopy(TABLES)
    for (file, field), value in changes:
        tables[file][0][field] = value
    report = hsds.read([("tabular.json", tables)]).report
    assert report["read"] == {k: v for k, v in report["read"].items() if v >= report["loaded"].get(k, 0)}


@given(st.binary(max_size=60))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_a_file_are_rows_or_problems(tmp_path: Path, text: bytes) -> None:
    write(tmp_path, TABLES)
    (tmp_path / "phones.csv").write_bytes(b"id,service_id,number\nt1,s1,5\n" + text)
    report = hsds.read_path(tmp_path).report
    assert report["loaded"]["phone"] >= 1
    json.dumps(report).encode()


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples of HSDS are not beside this checkout")
@pytest.mark.parametrize("name", ["csv", "tabular.json", "organization_full.json", "service_full.json"])
def test_the_published_examples_load_with_their_faults_said(name: str) -> None:
    result = hsds.read_path(EXAMPLES / name)
    assert result.report["loaded"]["service"] == 1
    assert any("latitude" in p["field"] + p["problem"] for p in result.report["problems"])
