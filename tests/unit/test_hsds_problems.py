"""What is wrong in an import is a problem of its row or file, and the rest loads."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers import hsds
from tests.support.hsds_nested import ANY, NESTED, Json, one, organization, problems, read, service


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": "open"}, "status"),
        ({"attributes": []}, "attributes"),
        ({"attributes": [{"taxonomy_term": {"name": "Unheard of"}}]}, "attributes"),
        ({"languages": [{"name": "Klingon"}]}, "languages"),
        ({"service_areas": []}, "service_areas"),
        ({"service_areas": [{"extent_type": "geojson", "extent": "{}"}]}, "service_areas"),
        (
            {"service_at_locations": [{"location": {"latitude": 100, "longitude": 0}}]},
            "service_at_locations[0].location.latitude",
        ),
        ({"minimum_age": "young"}, "minimum_age"),
    ],
)
def test_a_doubtful_field_is_a_problem_and_the_service_still_loads(changes: Json, field: str) -> None:
    assert problems(organization(service(**changes))) == [(1, field)]
    assert one(organization(service(**changes)))


def test_a_term_that_maps_to_no_need_is_said_once_and_a_service_without_any_other_each_time() -> None:
    unknown = {"taxonomy_term": {"code": "ZZ-1", "name": "Unheard of"}}
    known = {"taxonomy_term": {"name": "Shelter"}}
    both, again = (service(id=id, attributes=[unknown, known]) for id in "12")
    found = read(organization(both, again, service(id="3", attributes=[unknown]))).report["problems"]
    assert [p["field"] for p in found] == ["attributes.taxonomy_term", "attributes"]
    assert "'Unheard of ZZ-1'" in found[0]["problem"] and found[0]["problem"].startswith("warning")
    assert one(organization(both)).service.domains == ("homelessness",)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (organization(service(id=None)), "id"),
        (organization(service(name=" ")), "name"),
        (organization(service(), name=None), "organization"),
        (service(organization_id="nobody"), "organization"),
        (organization(service(), service()), "id"),
        ([organization(service()), organization(service(id="2"), id="o2")], "organization"),
        (organization() | {"services": "x"}, "services"),
        (organization(5), "services"),  # type: ignore[arg-type]
        ([5], ""),
    ],
)
def test_what_cannot_load_is_a_problem_and_the_rest_loads(document: Any, field: str) -> None:
    assert field in [f for _, f in problems(document)]
    assert len(read(document).services) <= 1


def test_nesting_without_end_is_a_problem() -> None:
    deep: Any = {}
    for _ in range(500):
        deep = {"a": deep}
    assert problems([organization(service(), extra=deep)]) == [(1, "")]


def test_a_service_too_large_for_the_log_is_a_problem_and_the_others_load() -> None:
    found = read(organization(service(description="x" * 1_000_000), service(id="2")))
    assert [p["field"] for p in found.report["problems"]] == [""]
    assert [one.source_id for one in found.services] == ["2"]


def test_a_folder_is_read_file_by_file_and_a_bad_one_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(organization(service())), encoding="utf-8")
    (tmp_path / "b.json").write_bytes(b"{\xff")
    (tmp_path / "c.json").write_bytes(b"[" * 100_000)
    (tmp_path / "datapackage.json").write_text("{}", encoding="utf-8")
    result = hsds.read_path(tmp_path)
    assert len(result.services) == 1
    assert [p["file"] for p in result.report["problems"]] == ["b.json", "c.json"]
    assert result.report["read"] == {"organization": 1, "service": 1}
    assert result.report["loaded"] == {"organization": 1, "service": 1}


@pytest.mark.parametrize("name", ["none.json", "empty"])
def test_a_path_without_json_is_a_problem(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    assert hsds.read_path(tmp_path / name).report["problems"][0]["next"]


@given(
    st.sampled_from([*service(), "services", "organization", "organization_identifiers", "minimum_age"]), ANY
)
@settings(deadline=None)
def test_any_value_in_any_field_is_loaded_or_a_problem(field: str, value: Any) -> None:
    read(
        [organization(service(**{field: value}), **{field: value}), service(**NESTED) | {field: value}, value]
    )
    read(value)
