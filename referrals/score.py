"""What speaks for a service that no rule excludes: parts between 0 and 1, weighed by the policy.

Comes in: the decision's setting, one service. Goes out: its parts by name. A part that is not known is left out and
weighs nothing. Must never exclude anybody: rules.py does.
"""

import math
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from referrals.directory import Place, Service
from referrals.rules import days_since, fresh_capacity
from referrals.wanted import Policy, Wanted, policy

EARTH_KM = 6371.0
WAIT = {"capacity": 1.0, "waitlist": 0.0, "no-capacity": 0.0}
WAIT_UNKNOWN = 0.5
Vector = tuple[float, float, float]


class Setting(NamedTuple):
    """What every part of one decision looks at; positions and `trust` per service, `loads` per organization."""

    policy: Policy
    wanted: Wanted
    here: Vector | tuple[()]
    positions: Mapping[str, Vector | tuple[()]]
    loads: Mapping[str, int]
    trust: Mapping[str, float]
    day: date
    parts: tuple[tuple[str, float, Callable[..., float | None]], ...] = ()


def _load(at: Setting, s: Service) -> float | None:
    load = at.loads.get(s.organization)
    return round(at.policy.half_load / (at.policy.half_load + load), 4) if load else 1.0


def _distance(at: Setting, s: Service) -> float | None:
    there = at.positions[s.id]
    if not at.here or not there:
        return None
    half = at.policy.half_distance_km
    return round(half / (half + apart_km(at.here, there)), 4)


def _preference(at: Setting, s: Service) -> float | None:
    return 1.0 if s.organization == at.wanted.preferred else None


def _language(at: Setting, s: Service) -> float | None:
    """The person's own language is better than an interpreter."""
    if at.wanted.language is None:
        return 0.5 if at.wanted.interpreter_needed and s.interpretation else None
    return 1.0 if at.wanted.language in (s.languages or ("en",)) else 0.5


def _freshness(at: Setting, s: Service) -> float | None:
    return None if s.assured_date is None else _fresh(s.assured_date, at.day)


@lru_cache(maxsize=4096)
def _fresh(assured: str, day: date) -> float | None:
    days, half = days_since(assured, day), policy().half_assured_days
    return None if days is None else round(half / (half + max(0, days)), 4)


def _wait(at: Setting, s: Service) -> float | None:
    if s.capacity_status is None or not fresh_capacity(s, at.day):
        return WAIT_UNKNOWN
    return WAIT.get(s.capacity_status, WAIT_UNKNOWN)


def _trust(at: Setting, s: Service) -> float | None:
    return at.trust.get(s.id, 1.0)


PARTS: tuple[tuple[str, Callable[[Setting, Service], float | None]], ...] = (
    ("load", _load),
    ("distance", _distance),
    ("preference", _preference),
    ("language", _language),
    ("freshness", _freshness),
    ("wait", _wait),
    ("trust", _trust),
)


def weighed(at: Setting) -> Setting:
    """The setting with the parts that can be known in it, and their weights."""
    unknown = {"distance": not at.here, "preference": at.wanted.preferred is None}
    weights = at.policy.weights
    return at._replace(
        parts=tuple((name, weights[name], part) for name, part in PARTS if not unknown.get(name))
    )


def scored(at: Setting, service: Service) -> tuple[float, dict[str, float]]:
    """The weighed sum, and what is known to speak for a service, each part from 0 to 1."""
    total, found = 0.0, {}
    for name, weight, part in at.parts:
        if (value := part(at, service)) is not None:
            found[name] = value
            total += weight * value
    return round(total, 6), found


def position(at: Place | Service) -> Vector | tuple[()]:
    """The unit vector of a place on the globe; empty when it has no position."""
    if at.latitude is None or at.longitude is None:
        return ()
    a, b = math.radians(at.latitude), math.radians(at.longitude)
    return (math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a))


def apart_km(a: Vector, b: Vector) -> float:
    """Great-circle distance of two unit vectors by their chord, kilometres."""
    return 2 * EARTH_KM * math.asin(min(1.0, math.dist(a, b) / 2))


def distance_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance, kilometres; degrees in."""
    here, there = position(Place(lat1, lon1, "")), position(Place(lat2, lon2, ""))
    return apart_km(here, there) if here and there else 0.0
