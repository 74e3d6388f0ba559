"""ZIP codes with their centre, county and time zone, from the zipcodes package; read once per process.

Goes out: postal code -> Place, postal code -> time zone; and a file of them among the caches, so that a process that
begins again after a failure has them at once. Must never be asked for a person, only for places.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from sys import intern
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from infra.settings import settings
from referrals.directory import Place, county_key

HOME_ZONE = "America/Los_Angeles"
"""Where a ZIP is not known."""


class _Row(NamedTuple):
    """What is taken of a row of the package."""

    zip_code: str
    lat: str
    long: str
    county: str
    timezone: str


class _Known(NamedTuple):
    places: dict[str, Place]
    zones: dict[str, str]


def places() -> dict[str, Place]:
    """Every ZIP of the United States that has a position."""
    return _known().places


def zone(postal_code: str) -> ZoneInfo:
    """The time zone of a ZIP."""
    return ZoneInfo(_known().zones.get(postal_code) or HOME_ZONE)


@cache
def _known() -> _Known:
    known = _Known({}, {})
    decode = msgspec.json.Decoder(_Row).decode
    for row in map(decode, _rows().splitlines()):
        known.zones[row.zip_code] = intern(row.timezone)
        latitude, longitude = float(row.lat or 0), float(row.long or 0)
        if latitude or longitude:  # those of the forces abroad are given as 0, 0
            known.places[row.zip_code] = Place(latitude, longitude, intern(county_key(row.county)))
    return known


def _rows() -> bytes:
    """As another process has kept them, else asked for and kept; asked for also where there is no folder for it."""
    with contextlib.suppress(OSError, RuntimeError):
        return _kept().read_bytes()
    rows = _asked()
    with contextlib.suppress(OSError, RuntimeError):
        kept = _kept()
        kept.parent.mkdir(parents=True, exist_ok=True)
        # whole, also on disk, before it has its name
        with tempfile.NamedTemporaryFile(dir=kept.parent) as made:
            made.write(rows)
            made.flush()
            os.fsync(made.fileno())
            os.link(made.name, kept)
    return rows


def _kept() -> Path:
    """Raises RuntimeError for who has no home."""
    return settings().cache_path / f"places-{version('zipcodes')}.jsonl"


def _asked() -> bytes:
    """Of a process that ends: in the one that asks, the package keeps 60 MiB of its own for good."""
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-m", "infra.places"]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}, check=True)
    return done.stdout


def _said() -> bytes:
    """All of the package, a row a line, as the process that asks decodes it; a few zones in it are no zones."""
    import zipcodes

    zones = available_timezones()
    found = (row for first in range(10) for row in zipcodes.similar_to(str(first)))  # type: ignore[no-untyped-call]
    rows = (_Row(*(row[name] or "" for name in _Row._fields)) for row in found)
    return msgspec.json.Encoder().encode_lines(
        [row if row.timezone in zones else row._replace(timezone="") for row in rows]
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(_said())
