"""What speaks for a service that no rule excludes: parts between 0 and 1, weighed by the policy.

Comes in: the decision's setting, one service. Goes out: its parts by name. A part that is not known is left out and
weighs nothing. Must never exclude anybody: rules.py does.
"""

import math
from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

from referrals.directory import Place, Service
from referrals.rules import days_since, fresh_capacity
from referrals.wanted import Policy, Wanted

EARTH_KM = 6371.0
WAIT = {"capacity": 1.0, "waitlist": 0.0, "no-capacity": 0.0}
WAIT_UNKNOWN = 0.5


class Setting(NamedTuple):
    """What every part of one decision looks at; `loads` per organization, `trust` per service."""

    policy: Policy
    wanted: Wanted
    here: Place | None
    loads: Mapping[str, int]
    trust: Mapping[str, float]
    day: date


def _load(at: Setting, s: Service) -> float | None:
    return at.policy.half_load / (at.policy.half_load + at.loads.get(s.organization, 0))


def _distance(at: Setting, s: Service) -> float | None:
    if at.here is None or s.latitude is None or s.longitude is None:
        return None
    half = at.policy.half_distance_km
    return half / (half + distance_km(at.here.latitude, at.here.longitude, s.latitude, s.longitude))


def _preference(at: Setting, s: Service) -> float | None:
    return 1.0 if s.organization == at.wanted.preferred else None


def _language(at: Setting, s: Service) -> float | None:
    """The person's own language is better than an interpreter."""
    if at.wanted.language is None:
        return 0.5 if at.wanted.interpreter_needed and s.interpretation else None
    return 1.0 if at.wanted.language in (s.languages or ("en",)) else 0.5


def _freshness(at: Setting, s: Service) -> float | None:
    if s.assured_date is None or (days := days_since(s.assured_date, at.day)) is None:
        return None
    return at.policy.half_assured_days / (at.policy.half_assured_days + max(0, days))


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


def parts(at: Setting, service: Service) -> dict[str, float]:
    """What is known to speak for a service, each part from 0 to 1."""
    return {name: round(value, 4) for name, part in PARTS if (value := part(at, service)) is not None}


def score(weights: Mapping[str, float], found: Mapping[str, float]) -> float:
    """The weighed sum."""
    return round(sum([weights[name] * value for name, value in found.items()]), 6)


def distance_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance (haversine), kilometres; degrees in."""
    a, b = math.radians(lat1), math.radians(lat2)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, h)))
