"""Whom an imported service helps: ages, interpreters, room; what is absent or unreadable limits nobody."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.hsds.limits import limits
from producers.hsds.report import Report, Where
from referrals.directory import Service
from tests.support.hsds_nested import ANY, Json, one, organization, service


def room(available: Any, updated: str | None = "2026-11-01") -> Json:
    return {"capacities": [{"available": available, "updated": updated}]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"minimum_age": None, "maximum_age": None, "interpretation": False, "assured_date": None}),
        ({"minimum_age": "18", "maximum_age": 64}, {"minimum_age": 18.0, "maximum_age": 64.0}),
        ({"minimum_age": 0, "maximum_age": "old"}, {"minimum_age": None, "maximum_age": None}),
        ({"interpretation_services": "By telephone"}, {"interpretation": True}),
        ({"interpretation_services": "None."}, {"interpretation": False}),
        ({"assured_date": "2026-10-01"}, {"assured_date": "2026-10-01"}),
        ({"assured_date": "lately"}, {"assured_date": None}),
        (room(0), {"capacity_status": "no-capacity", "capacity_updated": "2026-11-01"}),
        (room("3"), {"capacity_status": "capacity", "capacity_available": 3}),
        (room(3), {"capacity_version": 1793491200, "capacity_until": "2026-12-01"}),
        (room(3, "2026-11-01T08:00:00-08:00"), {"capacity_version": 1793548800}),
        (room(3, "1950-01-01"), {"capacity_status": "capacity", "capacity_available": None}),
        (room(0.5), {"capacity_status": "capacity", "capacity_available": None}),
        (room(0), {"capacity_available": None, "capacity_version": 0}),
        (room(0) | {"wait_time": "2 weeks"}, {"capacity_status": "waitlist"}),
        (room(0, None), {"capacity_status": None, "capacity_updated": None}),
        ({"capacities": [3]}, {"capacity_status": None}),
    ],
)
def test_whom_a_service_helps_and_how_sure_that_is(changes: Json, expected: Json) -> None:
    found = one(organization(service(**changes))).service
    assert {field: getattr(found, field) for field in expected} == expected


FIELDS = ("minimum_age", "maximum_age", "interpretation_services", "assured_date", "capacities", "wait_time")


@given(st.sampled_from(FIELDS), ANY)
def test_any_value_limits_or_is_left_out(field: str, value: Any) -> None:
    assert limits(Where(Report(), "x.json", 1), {field: value}).keys() <= set(Service.__struct_fields__)
