"""The ZIPs of the country are known in every worker and every API: they must not cost what their list costs."""

import json
import subprocess
import sys

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
    assert mib < 80
