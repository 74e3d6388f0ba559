"""The directory import: HSDS in any wrapper becomes services, with an id, an organization, an area and needs."""

from datetime import date
from typing import Any

import pytest

from producers.hsds.places import area
from producers.hsds.services import organization_id
from referrals import words
from tests.support.hsds_nested import NESTED, UUID_TEXT, Json, one, organization, problems, service


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
