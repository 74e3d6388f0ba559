"""20,000 services in memory: what one statement of a CBO costs a worker, against reading the directory anew.

The next snapshot must be far cheaper than a new one, and routing must go on at once; the figures are printed.
"""

import json
import random
import statistics
import time

import msgspec
import pytest
from msgspec import structs

from infra.places import places
from producers.hsds.places import counties
from referrals import words
from referrals.directory import Directory, Service
from referrals.route import route
from tests.benchmarks.test_routing import SEED, SERVICES, service, wanted
from tests.support.referrals import NOW

CHANGES, LEAST_RATIO = 200, 5.0

pytestmark = pytest.mark.long


def test_a_change_costs_a_fraction_of_the_directory() -> None:
    rng = random.Random(SEED)
    zips, domains = [z for found in counties().values() for z in found], sorted(words.table("domains"))
    zips = [z for z in zips if z in places()]
    services = [service(rng, n, zips, domains) for n in range(SERVICES)]
    rows = [msgspec.json.encode(s) for s in services]
    started = time.perf_counter()
    directory = Directory(1, [msgspec.json.decode(row, type=Service) for row in rows], places())
    anew = time.perf_counter() - started
    route(wanted(rng, zips, domains), directory, {}, NOW)
    took, first = [], []
    for number in range(CHANGES):
        said = structs.replace(rng.choice(services), capacity_status="no-capacity", capacity_version=number)
        before = time.perf_counter()
        directory = directory.changed(number + 2, [said])
        took.append(time.perf_counter() - before)
        before = time.perf_counter()
        route(wanted(rng, zips, domains), directory, {}, NOW)
        first.append(time.perf_counter() - before)
    figures = {
        "services": SERVICES,
        "read anew, ms": round(anew * 1000, 1),
        "one change, median ms": round(statistics.median(took) * 1000, 2),
        "one change, most ms": round(max(took) * 1000, 2),
        "first decision after, median ms": round(statistics.median(first) * 1000, 2),
        "ratio": round(anew / statistics.median(took), 1),
    }
    print(json.dumps(figures, indent=2))
    assert figures["ratio"] > LEAST_RATIO
