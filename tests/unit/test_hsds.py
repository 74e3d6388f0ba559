"""The directory import: HSDS in any wrapper becomes services; what is wrong is a problem of its row."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers import demo_directory, hsds
from producers.hsds.places import area
from producers.hsds.services import organization_id
from referrals import words

Json = dict[str, Any]
UUID_TEXT = "AC148810-D857-441C-9679-408F346DE14B"


def service(**changes: Any) -> Json:
    made = {
        "id": UUID_TEXT,
        "name": "Groceries",
        "status": "active",
        "attributes": [{"taxonomy_term": {"code": "X-1", "name": "Food Pantry"}}],
        "languages": [{"code": "en"}, {"name": "Spanish"}],
        "service_areas": [{"name": "Alameda County", "extent_type": "text", "extent": "94607; 94601"}],
        "service_at_locations": [{"id": "at", "location": {"latitude": "37.8", "longitude": -122.2}}],
    }
    return made | changes


def organization(*services: Json, **changes: Any) -> Json:
    return {"id": "o1", "name": "Harvest & Sons' Pantry", "services": list(services)} | changes


def read(document: Any) -> hsds.Result:
    return hsds.read([("x.json", document)])


def one(document: Any) -> hsds.Imported:
    (found,) = read(document).services
    return found


def problems(document: Any) -> list[tuple[int, str]]:
    found = read(document).report["problems"]
    assert all(p["problem"] and p["next"] and p["file"] == "x.json" for p in found)
    return [(p["row"], p["field"]) for p in found]


NESTED = {"organization": {"id": "o1", "name": "Harvest & Sons' Pantry"}}


@pytest.mark.parametrize(
    "document",
    [
        organization(service()),
        [organization(service())],
        {"contents": [organization(service())], "total_items": 1},
        service(**NESTED),
        [service(**NESTED)],
        {"contents": [service(**NESTED)]},
        {
            "organizations": [{"id": "o1", "name": "Harvest & Sons' Pantry"}],
            "services": [service(organization_id="o1")],
        },
        {"id": "at", "location": {"latitude": 37.8, "longitude": -122.2}, "service": service(**NESTED)},
    ],
    ids=[
        "organization",
        "list",
        "page",
        "service",
        "services",
        "page of services",
        "two lists",
        "at location",
    ],
)
def test_a_service_is_found_in_every_wrapper(document: Any) -> None:
    found = one(document)
    assert problems(document) == []
    made = found.service
    assert (made.id, made.organization, made.active) == (UUID_TEXT.lower(), "harvest-sons-pantry", True)
    assert (made.domains, made.languages) == (("food-insecurity",), ("en", "es"))
    assert (made.counties, made.statewide) == (("alameda",), False)
    assert made.postal_codes == ("94601", "94607")
    assert (made.latitude, made.longitude) == (37.8, -122.2)


def test_the_body_is_whole_and_carries_its_organization_with_our_id() -> None:
    body = one(
        organization(service(fees="none", phones=[{"number": "510-555-0100"}]), website="https://x.example")
    ).body
    assert (body["fees"], body["phones"]) == ("none", [{"number": "510-555-0100"}])
    assert body["organization"]["name"] == "Harvest & Sons' Pantry"
    assert body["organization"]["website"] == "https://x.example"
    assert "services" not in body["organization"]
    assert {"identifier_type": "refex", "identifier": "harvest-sons-pantry"} in body["organization"][
        "organization_identifiers"
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"organization_identifiers": [{"identifier_type": "refex", "identifier": "our-own"}]}, "our-own"),
        (
            {"organization_identifiers": [{"identifier_type": "refex", "identifier": "Not A Slug"}]},
            "casa-nandu",
        ),
        ({"organization_identifiers": [{"identifier_type": "EIN", "identifier": "1"}]}, "casa-nandu"),
        ({"organization_identifiers": "x"}, "casa-nandu"),
        ({"name": "食物"}, None),
        ({"name": 5}, None),
    ],
)
def test_an_organization_is_known_by_its_identifier_else_its_name(fields: Json, expected: str | None) -> None:
    assert organization_id({"name": "Casa Ñandú!"} | fields) == expected


def test_an_id_of_another_form_becomes_a_uuid_the_same_every_time() -> None:
    first = one(organization(service(id="17")))
    assert first.service.id == one(organization(service(id="17"))).service.id == first.body["id"]
    assert len(first.service.id) == 36
    assert first.body["source_id"] == "17"


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


def test_what_postgres_cannot_hold_is_left_out() -> None:
    found = one(organization(service(description="a\x00b\ud800c", **{"k\x00": 1})))
    assert (found.body["description"], found.body["k"]) == ("abc", 1)


@pytest.mark.parametrize(
    ("status", "active"), [("active", True), ("inactive", False), ("temporarily closed", False)]
)
def test_only_an_active_service_is_active(status: str, active: bool) -> None:
    assert one(organization(service(status=status))).service.active is active


@pytest.mark.parametrize(
    ("text", "zips", "counties", "statewide"),
    [
        ("94601, 94607-1234; 946012, 12-94603", ["94601", "94607"], [], False),
        ("Alameda and Contra Costa Counties", [], ["alameda", "contra costa"], False),
        ("Alameda, Napa, and Marin counties", [], ["alameda", "marin", "napa"], False),
        ("County of San Mateo", [], ["san mateo"], False),
        ("Counties: Yolo, Napa", [], ["napa", "yolo"], False),
        ("santa clara", [], ["santa clara"], False),
        ("Alameda County, California", [], ["alameda"], False),
        ("Orange juice for Kings County", [], ["kings"], False),
        ("Statewide", [], [], True),
        ("All of California", [], [], True),
        ("Our neighborhood", [], [], False),
    ],
)
def test_areas_in_words(text: str, zips: list[str], counties: list[str], statewide: bool) -> None:
    found = area([text])
    assert (list(found.postal_codes), list(found.counties), found.statewide) == (zips, counties, statewide)


def test_the_taxonomy_maps_every_term_to_one_known_domain() -> None:
    whole = words.table("taxonomy")
    taxonomy = whole["domains"]
    assert str(whole["source"]) and date.fromisoformat(str(whole["reviewed"]))
    terms = [term for names in taxonomy.values() for term in names]
    assert set(taxonomy) <= set(words.table("domains"))
    assert len(terms) == len(set(terms))
    assert all(term == term.lower() for term in terms)


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


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=6)
    | st.just("1e999"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from([*service(), "services", "organization", "organization_identifiers", "minimum_age"]), ANY
)
@settings(deadline=None)
def test_any_value_in_any_field_is_loaded_or_a_problem(field: str, value: Any) -> None:
    read(
        [organization(service(**{field: value}), **{field: value}), service(**NESTED) | {field: value}, value]
    )
    read(value)


def test_the_demo_directory_loads_without_a_problem_and_the_same_every_time() -> None:
    result = demo_directory.services()
    assert result.report["problems"] == []
    assert demo_directory.services().services == result.services
    assert {row["id"] for row in demo_directory.table()} == {i.service.organization for i in result.services}
    assert all(i.service.active and i.service.latitude for i in result.services)
    assert "maximum" not in json.dumps(demo_directory.documents())


@pytest.mark.parametrize("county", ["alameda", "contra costa", "santa clara"])
def test_the_demo_serves_every_domain_in_every_county(county: str) -> None:
    for domain in demo_directory.SERVICES:
        serving = {
            i.service.organization
            for i in demo_directory.services().services
            if county in i.service.counties and domain in i.service.domains
        }
        assert len(serving) >= (3 if domain == "food-insecurity" else 2), domain


def test_demo_food_for_94607_is_for_everybody_in_english_and_spanish() -> None:
    food = [
        i
        for i in demo_directory.services().services
        if "94607" in i.service.postal_codes and "food-insecurity" in i.service.domains
    ]
    assert "harvest-food-bank" in {i.service.organization for i in food}
    for found in food:
        assert {"en", "es"} <= set(found.service.languages)
        assert not {"minimum_age", "maximum_age"} & found.body.keys()
