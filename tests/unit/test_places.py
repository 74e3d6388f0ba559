"""The ZIPs of the country are known in every worker and every API: they must not cost what their list costs."""

import json
import subprocess
import sys

from infra.places import places, zone

READ = """
import json, psutil
from infra.places import places, zone
before = psutil.Process().memory_info().rss
found = len(places()), zone("94607").key, zone("10001").key, zone("nowhere").key
print(json.dumps([*found, (psutil.Process().memory_info().rss - before) / 2**20]))
"""


def test_all_places_take_less_than_a_list_of_the_package_would() -> None:
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True)
    number, oakland, new_york, unknown, mib = json.loads(done.stdout)
    assert number > 40_000
    assert (oakland, new_york, unknown) == ("America/Los_Angeles", "America/New_York", "America/Los_Angeles")
    assert mib < 25


def test_every_place_has_a_time_zone_that_exists() -> None:
    assert {zone(code).key for code in places()} >= {"America/New_York", "Pacific/Honolulu"}


def test_a_place_without_a_position_is_no_place() -> None:
    assert "09001" not in places(), "a post office of the forces abroad, given as 0, 0"
    assert all(place.latitude > 10 for place in places().values() if place.county == "alameda")
