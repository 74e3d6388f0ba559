"""Service areas drawn on a map (GeoJSON) -> the ZIP codes whose centre lies inside.

Comes in: the GeoJSON of one extent, as a text or an object. Goes out: ZIPs, so that a decision compares no shapes: the
areas are laid over an index of all ZIP centres once, at import. Must never take a shape that is none for an area.
"""

from functools import cache
from typing import Any

import msgspec
import shapely

from infra.places import places

MAX_BYTES = 1_000_000


class NoArea(ValueError):
    """What is wrong with the shape, and what to do about it."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(problem)
        self.advice = advice


def postal_codes(extent: Any) -> tuple[str, ...]:
    """The ZIPs of a Polygon, MultiPolygon, Feature or collection of them, sorted. Raises NoArea."""
    shape = _shape(extent)
    if not shapely.area(shape) > 0:
        raise NoArea("the GeoJSON holds no polygon", "draw the area as a Polygon or MultiPolygon")
    west, south, east, north = shapely.bounds(shape)
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise NoArea("the GeoJSON leaves the globe", "write each position as longitude, latitude in degrees")
    codes, tree = _centres()
    # `intersects` prepares the shape, and counts a centre on the border as inside
    found = tuple(sorted(codes[i] for i in tree.query(shapely.make_valid(shape), predicate="intersects")))
    if not found:
        raise NoArea(
            "the GeoJSON holds the centre of no ZIP",
            "write each position as longitude, latitude; for a smaller area name its ZIPs in words",
        )
    return found


def _shape(extent: Any) -> shapely.Geometry:
    text = extent.encode() if isinstance(extent, str) else msgspec.json.encode(extent)
    if len(text) > MAX_BYTES:
        raise NoArea(f"the GeoJSON has more than {MAX_BYTES:,} bytes", "simplify the shape")
    try:
        msgspec.json.decode(text)  # refuses what is nested too deep before GEOS reads it
        return shapely.from_geojson(text.decode())
    except (msgspec.DecodeError, RecursionError, ValueError, shapely.GEOSException):
        raise NoArea(
            "the extent is not GeoJSON", "give a GeoJSON Polygon or MultiPolygon as extent"
        ) from None


@cache
def _centres() -> tuple[list[str], shapely.STRtree]:
    """The ZIPs and the index of their centres, in the same order."""
    found = places()
    points = shapely.points([(place.longitude, place.latitude) for place in found.values()])
    return list(found), shapely.STRtree(points)
