"""10,000 synthetic referrals over 20,000 services: how long one routing decision takes.

Services and people are spread over California as its ZIPs are, over all 24 need domains; a third of the services have
limits. The goal is a median of 0.2 ms; only a generous bound is asserted, the figures are printed.
"""

import json
import platform
import random
import statistics
import time
from uuid import UUID

import pytest

from infra.places import places
from producers.hsds.places import counties
from referrals import words
from referrals.directory import Directory, Service
from referrals.route import route
from referrals.standing import Standings
from referrals.wanted import Wanted
from tests.support.referrals import NOW

SERVICES, REFERRALS, SEED = 20_000, 10_000, 7
GOAL_MS, BOUND_MS = 0.2, 5.0
LANGUAGES = ("en", "es", "zh", "vi", "tl", "ko")

pytestmark = pytest.mark.long


def service(rng: random.Random, number: int, zips: list[str], domains: list[str]) -> Service:
    """One service at a ZIP: most serve their county, some ZIPs alone, a few the whole state."""
    here = places()[rng.choice(zips)]
    kind = rng.random()
    limited = rng.random() < 0.33
    return Service(
        id=str(UUID(int=rng.getrandbits(128))),
        organization=f"cbo-{number // 4}",
        name=f"Service {number}",
        domains=(rng.choice(domains),),
        languages=tuple(sorted({"en", *rng.sample(LANGUAGES, rng.randint(0, 2))})),
        postal_codes=tuple(rng.sample(counties()[here.county], 1)) if 0.8 <= kind < 0.97 else (),
        counties=(here.county, rng.choice(list(counties()))) if kind < 0.8 else (),
        statewide=kind >= 0.97,
        latitude=here.latitude,
        longitude=here.longitude,
        minimum_age=18.0 if limited else None,
        genders=("female",) if limited and rng.random() < 0.2 else (),
        interpretation=rng.random() < 0.5,
        assured_date="2026-05-01" if rng.random() < 0.5 else None,
        capacity_status=rng.choice((None, "capacity", "waitlist", "no-capacity")),
        capacity_updated="2026-10-20",
    )


def wanted(rng: random.Random, zips: list[str], domains: list[str]) -> Wanted:
    """One referral's wishes."""
    return Wanted(
        sender="clinic",
        domain=rng.choice(domains),
        postal_code=rng.choice(zips),
        county=None,
        language=rng.choice(LANGUAGES),
        age=rng.randint(0, 90),
        gender=rng.choice(("female", "male", None)),
        earlier=frozenset({f"cbo-{rng.randint(0, 5000)}"}) if rng.random() < 0.2 else frozenset(),
        excluded=("cbo-1",) if rng.random() < 0.1 else (),
    )


def quantile(values: list[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * q))]


def test_a_decision_over_twenty_thousand_services_is_fast() -> None:
    rng = random.Random(SEED)
    zips, domains = [z for found in counties().values() for z in found], sorted(words.table("domains"))
    zips = [z for z in zips if z in places()]
    services = [service(rng, n, zips, domains) for n in range(SERVICES)]
    started = time.perf_counter()
    directory = Directory(1, services, places())
    built = time.perf_counter() - started
    asked = [wanted(rng, zips, domains) for _ in range(REFERRALS)]
    standings = Standings()
    took: list[float] = []
    reached: list[int] = []
    chosen = 0
    for one in asked:
        before = time.perf_counter()
        decision = route(one, directory, {}, NOW, standings)
        took.append((time.perf_counter() - before) * 1000)
        chosen += decision.chosen is not None
        county = places()[one.postal_code or ""].county
        reached.append(len(directory.in_reach(one.domain, one.postal_code, county)))
    figures = {
        "services": SERVICES,
        "referrals": REFERRALS,
        "chosen": chosen,
        "in reach, median": statistics.median(reached),
        "in reach, most": max(reached),
        "index built, ms": round(built * 1000, 1),
        "median ms": round(statistics.median(took), 4),
        "p95 ms": round(quantile(took, 0.95), 4),
        "p99 ms": round(quantile(took, 0.99), 4),
        "goal ms": GOAL_MS,
        "python": platform.python_version(),
    }
    print(json.dumps(figures, indent=2))
    assert statistics.median(took) < BOUND_MS
