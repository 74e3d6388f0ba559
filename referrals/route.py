"""Step 3, route: which service is asked next, and why every other one is not.

Comes in: what is wanted, the directory, how loaded each organization is. Goes out: a RoutingDecided event.
Rules that exclude come first, then a score; equal scores fall to the lower service id, so it is repeatable.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import NamedTuple

import msgspec
from msgspec import Struct

from referrals.directory import Directory, Place, Service
from referrals.events import Candidate, ExcludedBy, RoutingDecided

EARTH_KM = 6371.0
LANGUAGES = {
    "english": "en",
    "spanish": "es",
    "chinese": "zh",
    "vietnamese": "vi",
    "tagalog": "tl",
    "korean": "ko",
}


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """The reviewed numbers of routing (referrals/data/routing_policy.json)."""

    version: str
    weights: Mapping[str, float]
    half_distance_km: float
    half_load: float
    named_candidates: int


class Wanted(NamedTuple):
    """What routing knows of a referral; no identity."""

    sender: str
    domain: str
    postal_code: str | None
    county: str | None
    language: str | None
    excluded: tuple[str, ...] = ()
    earlier: frozenset[str] = frozenset()
    preferred: str | None = None
    preferred_only: bool = False


@cache
def policy() -> Policy:
    """The policy in force."""
    text = resources.files("referrals").joinpath("data", "routing_policy.json").read_bytes()
    return msgspec.json.decode(text, type=Policy)


def route(wanted: Wanted, directory: Directory, loads: Mapping[str, int], now: datetime) -> RoutingDecided:
    """The decision, explained. `loads` = open hops per organization (advice, not a promise)."""
    rules = policy()
    here = directory.places.get(wanted.postal_code or "")
    county = wanted.county or (here.county if here else None)
    asked = wanted._replace(county=county, language=language_code(wanted.language))
    fit: list[Candidate] = []
    excluded: list[Candidate] = []
    for service in directory.by_domain.get(wanted.domain, ()):
        if (why := _excluded_by(asked, service, now.date())) is not None:
            excluded.append(Candidate(service.id, service.organization, excluded_by=why))
        else:
            parts = _parts(rules, service, here, loads.get(service.organization, 0), wanted.preferred)
            score = round(sum(rules.weights[name] * value for name, value in parts.items()), 6)
            fit.append(Candidate(service.id, service.organization, score=score, parts=parts))
    fit.sort(key=lambda c: (-(c.score or 0.0), c.service))
    ordered = [*fit, *sorted(excluded, key=lambda c: c.service)]
    named, others = ordered[: rules.named_candidates], ordered[rules.named_candidates :]
    return RoutingDecided(
        decided_at=now,
        policy=rules.version,
        directory_version=directory.version,
        chosen=fit[0].service if fit else None,
        candidates=tuple(named),
        others_excluded=dict(Counter(c.excluded_by.rule for c in others if c.excluded_by)),
    )


def language_code(text: str | None) -> str | None:
    """ISO 639-1 of a language as senders write it: `es`, `es-US`, `Spanish`; None stays None."""
    if not text or not text.strip():
        return None
    word = text.strip().lower()
    return LANGUAGES.get(word, word.split("-")[0].split("_")[0])


def _inactive(w: Wanted, s: Service, day: date) -> str | None:
    return None if s.active else "the service is not active"


def _closed(w: Wanted, s: Service, day: date) -> str | None:
    return f"a closure is in force on {day.isoformat()}" if s.closed_on(day) else None


def _own(w: Wanted, s: Service, day: date) -> str | None:
    return "the sender itself" if s.organization == w.sender else None


def _client_excluded(w: Wanted, s: Service, day: date) -> str | None:
    return "the person does not want this organization" if s.organization in w.excluded else None


def _earlier_hop(w: Wanted, s: Service, day: date) -> str | None:
    return "this organization was asked before" if s.organization in w.earlier else None


def _preferred_only(w: Wanted, s: Service, day: date) -> str | None:
    wrong = w.preferred_only and s.organization != w.preferred
    return f"the sender asks for {w.preferred} only" if wrong else None


def _outside_area(w: Wanted, s: Service, day: date) -> str | None:
    if s.statewide or (w.postal_code and w.postal_code in s.postal_codes):
        return None
    if w.county and w.county in s.counties:
        return None
    return f"ZIP {w.postal_code or 'unknown'}, county {w.county or 'unknown'} is outside its service area"


def _language(w: Wanted, s: Service, day: date) -> str | None:
    offered = s.languages or ("en",)
    return None if w.language in (None, *offered) else f"needs {w.language}, offers {', '.join(offered)}"


# In the order they are asked; the first that objects names the exclusion.
RULES: tuple[tuple[str, Callable[[Wanted, Service, date], str | None]], ...] = (
    ("inactive", _inactive),
    ("own-organization", _own),
    ("preferred-only", _preferred_only),
    ("client-excluded", _client_excluded),
    ("earlier-hop", _earlier_hop),
    ("outside-area", _outside_area),
    ("closure", _closed),
    ("language", _language),
)


def _excluded_by(wanted: Wanted, service: Service, day: date) -> ExcludedBy | None:
    for name, rule in RULES:
        if (detail := rule(wanted, service, day)) is not None:
            return ExcludedBy(name, detail)
    return None


def _parts(
    rules: Policy, service: Service, here: Place | None, load: int, preferred: str | None
) -> dict[str, float]:
    parts = {"load": round(rules.half_load / (rules.half_load + load), 4)}
    if here and service.latitude is not None and service.longitude is not None:
        km = distance_km(here.latitude, here.longitude, service.latitude, service.longitude)
        parts["distance"] = round(rules.half_distance_km / (rules.half_distance_km + km), 4)
    if service.organization == preferred:
        parts["preference"] = 1.0
    return parts


def distance_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance (haversine), kilometres; degrees in."""
    a, b = math.radians(lat1), math.radians(lat2)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, h)))
