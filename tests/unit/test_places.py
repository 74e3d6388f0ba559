"""Places of ZIPs: every one the package knows, without keeping the package's own list of them."""

import subprocess
import sys

READS = """
import zipcodes
from infra.places import places, zone

found = places()
assert str(zone("10001")) == "America/New_York" and str(zone("00000")) == "America/Los_Angeles"
assert zipcodes._zips_cache is None, "the package's list stays in memory"
known = {row["zip_code"] for row in zipcodes.list_all() if row["lat"] and row["long"]}
assert found.keys() == known and len(known) > 40_000
"""


def test_all_places_are_read_and_the_list_is_not_kept() -> None:
    done = subprocess.run([sys.executable, "-c", READS], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
