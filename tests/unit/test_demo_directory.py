"""The demo directory loads without a problem and serves every need in every county of the demo."""

import json

import pytest

from producers import demo_directory


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
