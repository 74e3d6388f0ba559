"""The application's filters in its SQL: where they stand, and the same queries without them.

Comes in: the .sql files of api/. Goes out: each query's filters (`-- seen by: <name>`), and text in which they hold for
every row, so that row-level security alone is left. Must never touch anything but the marked lines.
"""

import re
import sys
from collections.abc import Iterator
from importlib import resources
from typing import NamedTuple

import pytest

from infra.postgres import queries

MARK = re.compile(r"(?m)^(?P<lead>\s*(?:(?:where|and|or)\s+)?)(?P<said>\S.*) -- seen by: (?P<by>[a-z -]+)$")
PACKAGES = ("api", "api.pages")


class Filter(NamedTuple):
    """One marked line: the query, its condition with `$` for the organization and without aliases, and its name."""

    query: str
    said: str
    by: str


def everything() -> Iterator[tuple[str, str, str]]:
    """Module, name and text of every query of the API."""
    for package in PACKAGES:
        for file in sorted(f.name for f in resources.files(package).iterdir() if f.name.endswith(".sql")):
            for name, sql in queries(package, file).items():
                yield f"{package}.{file.removesuffix('.sql')}", name, sql


def filters() -> list[Filter]:
    """Every marked line."""
    found = []
    for module, name, sql in everything():
        for match in MARK.finditer(sql):
            said = re.sub(r"\$\d+", "$", re.sub(r"\b[a-z]+\.", "", match["said"]))
            found.append(Filter(f"{module}:{name}", said, match["by"]))
    return found


def unfiltered(sql: str) -> str:
    """The query with every marked condition true; its parameter stays, or Postgres could not tell its type."""

    def holds(match: re.Match[str]) -> str:
        parameter = re.search(r"\$\d+", match["said"])
        assert parameter is not None, match["said"]
        return f"{match['lead']}({parameter[0]}::text is not null or true)"

    return MARK.sub(holds, sql)


def take_away(patch: pytest.MonkeyPatch) -> int:
    """Let every loaded module of api/ run its queries without their filters; how many queries changed."""
    changed = 0
    for name, module in list(sys.modules.items()):
        table = getattr(module, "SQL", None) if name.startswith("api.") else None
        if isinstance(table, dict):
            for query, sql in list(table.items()):
                if (open_to_all := unfiltered(sql)) != sql:
                    patch.setitem(table, query, open_to_all)
                    changed += 1
    return changed
