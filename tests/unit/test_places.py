"""The ZIPs of the country are known in every worker and every API: they must not cost what their list costs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.places import places, zone

READ = """
import json, psutil
from infra.places import places, zone
before = psutil.Process().memory_info().rss
found = len(places()), zone("94607").key, zone("10001").key, zone("nowhere").key
print(json.dumps([*found, (psutil.Process().memory_info().rss - before) / 2**20]))
"""


def read(folder: Path) -> list[object]:
    """What a new process finds, and the MiB it grew by; `folder`: of caches."""
    environment = os.environ | {"REFEX_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", READ], capture_output=True, text=True, check=True, env=environment
    )
    found: list[object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("folder", ["made-anew", "a-file-lies-there"])
def test_all_places_take_less_than_a_list_of_the_package_would(tmp_path: Path, folder: str) -> None:
    (tmp_path / "a-file-lies-there").touch()
    for _ in range(2):
        number, oakland, new_york, unknown, mib = read(tmp_path / folder)
        assert isinstance(number, int) and number > 40_000
        assert (oakland, new_york, unknown) == (
            "America/Los_Angeles",
            "America/New_York",
            "America/Los_Angeles",
        )
        assert isinstance(mib, float) and mib < 25


def test_who_begins_after_another_reads_what_it_kept(tmp_path: Path) -> None:
    read(tmp_path)
    [kept] = tmp_path.iterdir()
    assert len(kept.read_bytes().splitlines()) > 42_000
    kept.write_bytes(kept.read_bytes() + b'["99998","1.5","2.5","nowhere county",""]\n')
    first, again = (read(tmp_path)[0] for _ in range(2))
    assert first == again == len(places()) + 1


def test_every_place_has_a_time_zone_that_exists() -> None:
    assert {zone(code).key for code in places()} >= {"America/New_York", "Pacific/Honolulu"}


def test_a_place_without_a_position_is_no_place() -> None:
    assert "09001" not in places(), "a post office of the forces abroad, given as 0, 0"
    assert all(place.latitude > 10 for place in places().values() if place.county == "alameda")
