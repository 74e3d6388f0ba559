"""Areas drawn on a map: the ZIPs whose centre lies inside, and what is said of a shape that is no area."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.places import places
from producers import hsds
from producers.hsds.shapes import NoArea, postal_codes

Json = dict[str, Any]


def box(west: float, south: float, east: float, north: float) -> Json:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


OAKLAND, NAPA = box(-122.31, 37.79, -122.27, 37.82), box(-122.32, 38.27, -122.26, 38.32)


def feature(shape: Json) -> Json:
    return {"type": "Feature", "properties": {"name": "x"}, "geometry": shape}


@pytest.mark.parametrize(
    "shape",
    [
        OAKLAND,
        json.dumps(OAKLAND),
        feature(OAKLAND),
        {"type": "FeatureCollection", "features": [feature(OAKLAND)]},
        {"type": "MultiPolygon", "coordinates": [OAKLAND["coordinates"]]},
        {"type": "GeometryCollection", "geometries": [OAKLAND, {"type": "Point", "coordinates": [0, 0]}]},
    ],
    ids=["polygon", "text", "feature", "features", "multi", "collection"],
)
def test_every_way_to_draw_an_area_is_understood(shape: Any) -> None:
    found = postal_codes(shape)
    assert "94607" in found and "94558" not in found


def test_several_areas_are_one_and_a_hole_is_left_out() -> None:
    both = {"type": "MultiPolygon", "coordinates": [OAKLAND["coordinates"], NAPA["coordinates"]]}
    assert set(postal_codes(both)) == {*postal_codes(OAKLAND), *postal_codes(NAPA)}
    here = places()["94607"]
    x, y = here.longitude, here.latitude
    hole = box(x - 0.001, y - 0.001, x + 0.001, y + 0.001)["coordinates"][0]
    holed = {"type": "Polygon", "coordinates": [*OAKLAND["coordinates"], hole]}
    assert "94607" not in postal_codes(holed)


@given(st.floats(-124, -115), st.floats(33, 41), st.floats(0.1, 2), st.floats(0.1, 2))
@settings(max_examples=40, deadline=None)
def test_the_index_finds_what_looking_at_every_zip_finds(
    west: float, south: float, wide: float, high: float
) -> None:
    east, north = west + wide, south + high
    inside = sorted(
        code
        for code, at in places().items()
        if west <= at.longitude <= east and south <= at.latitude <= north
    )
    try:
        assert list(postal_codes(box(west, south, east, north))) == inside
    except NoArea:
        assert not inside


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        ("{", "not GeoJSON"),
        ("[" * 50_000, "not GeoJSON"),
        (None, "not GeoJSON"),
        (7, "not GeoJSON"),
        ("{}", "not GeoJSON"),
        ({"type": "Polygon", "coordinates": [[[1, 2], ["x", 3]]]}, "not GeoJSON"),
        ({"type": "Polygon", "coordinates": [[[1, 2], [1, 3]]]}, "not GeoJSON"),
        ({"type": "Point", "coordinates": [-122.29, 37.8]}, "no polygon"),
        ({"type": "Polygon", "coordinates": []}, "no polygon"),
        ({"type": "FeatureCollection", "features": []}, "no polygon"),
        (box(37.79, -122.31, 37.82, -122.27), "leaves the globe"),
        (box(1, 1, 2, 2), "centre of no ZIP"),
        ({"type": "x" * 1_000_001}, "more than"),
    ],
)
def test_what_is_no_area_is_said_with_what_to_do(shape: Any, problem: str) -> None:
    with pytest.raises(NoArea, match=problem) as wrong:
        postal_codes(shape)
    assert wrong.value.advice


def imported(*areas: Json) -> tuple[tuple[str, ...], list[str]]:
    service = {
        "id": "s1",
        "name": "Meals",
        "status": "active",
        "attributes": [{"taxonomy_term": {"code": "food-insecurity", "name": "Food"}}],
        "service_areas": list(areas),
    }
    found = hsds.read([("x.json", {"id": "o", "name": "Pantry", "services": [service]})])
    fields = [p["field"] for p in found.report["problems"] if "service_areas" in p["field"]]
    return found.services[0].service.postal_codes, fields


def test_an_import_takes_drawn_and_written_areas_together() -> None:
    drawn = {"id": "a", "extent_type": "geojson", "extent": json.dumps(OAKLAND)}
    written = {"id": "b", "extent_type": "text", "extent": "94558"}
    zips, problems = imported(drawn, written)
    assert {"94607", "94558"} <= set(zips) and problems == []
    zips, problems = imported({"id": "a", "extent_type": "geojson", "extent": "{}"}, written)
    assert zips == ("94558",) and problems == ["service_areas"]
