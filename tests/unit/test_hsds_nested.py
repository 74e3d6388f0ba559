"""Faults inside nested HSDS JSON are said with their path, by the same rules as those of the tables."""

import pytest

from tests.support.hsds_nested import NESTED, Json, one, organization, problems, service


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"assured_date": "2026-02-30"}, "assured_date"),
        ({"minimum_age": 65, "maximum_age": 18}, "maximum_age"),
        ({"phones": [{"number": "1"}, {"id": "t"}]}, "phones[1].number"),
        ({"phones": [{"number": "1", "languages": [{"code": "?"}]}]}, "phones[0].languages[0].code"),
        ({"schedules": [{"freq": "DAILY"}]}, "schedules[0].freq"),
        (
            {"capacities": [{"available": 12, "maximum": 10, "updated": "2026-01-02T00:00Z"}]},
            "capacities[0].available",
        ),
        ({"program": {"id": "p"}}, "program.name"),
    ],
)
def test_a_fault_in_a_nested_field_is_said_with_its_path_and_left_out(changes: Json, field: str) -> None:
    assert problems(organization(service(**changes))) == [(1, field)]
    assert problems(service(**changes) | NESTED) == [(1, field)]
    body = one(organization(service(**changes))).body
    assert "program" not in body
    assert len(body.get("phones", [])) <= 1


def test_the_fault_of_an_organization_is_said_once_for_all_its_services() -> None:
    assert problems(organization(service(), service(id="2"), website="x")) == [(1, "website")]
    assert problems(service(organization={"id": "o", "name": "O", "website": "x"})) == [
        (1, "organization.website")
    ]
