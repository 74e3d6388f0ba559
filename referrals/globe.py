"""Places on the globe as unit vectors, and how far apart two are.

Comes in: degrees. Goes out: kilometres along the great circle. Must never fail for a place without a position.
"""

import math

from referrals.directory import Place, Service

EARTH_KM = 6371.0
Vector = tuple[float, float, float]


def position(at: Place | Service) -> Vector | tuple[()]:
    """The unit vector of a place on the globe; empty when it has no position."""
    if at.latitude is None or at.longitude is None:
        return ()
    a, b = math.radians(at.latitude), math.radians(at.longitude)
    return (math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a))


def apart_km(a: Vector, b: Vector) -> float:
    """Great-circle distance of two unit vectors by their chord, kilometres."""
    half = math.dist(a, b) / 2
    return 2 * EARTH_KM * math.asin(half if half < 1.0 else 1.0)


def distance_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance, kilometres; degrees in."""
    here, there = position(Place(lat1, lon1, "")), position(Place(lat2, lon2, ""))
    return apart_km(here, there) if here and there else 0.0
