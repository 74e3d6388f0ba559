"""100,000 services as HSDS tables, two million rows, become records well within a minute: read, joined, compared."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from producers import hsds
from producers.hsds import Imported
from producers.hsds.upsert import InForce, plan, records
from referrals.listing import PROVENANCE
from tests.support.hsds_package import TABLES, write
from tests.support.referrals import NOW

SERVICES = int(os.environ.get("BENCH_SERVICES", "100000"))
GOAL_S = 60.0
PER_ORGANIZATION = 20
SHARED = ("taxonomies.csv", "taxonomy_terms.csv", "units.csv")

pytestmark = [pytest.mark.long]


def many(count: int) -> dict[str, list[dict[str, Any]]]:
    """The small package's first rows again and again, with ids of their own; organizations have many services."""
    organizations = max(1, count // PER_ORGANIZATION)

    def row(file: str, n: int) -> dict[str, Any]:
        made = {k: f"{v}-{n}" if k == "id" or k.endswith("_id") else v for k, v in TABLES[file][0].items()}
        if "organization_id" in made:
            made["organization_id"] = f"o1-{n % organizations}"
        return made | {k: TABLES[file][0][k] for k in ("taxonomy_term_id", "unit_id") if k in made}

    tables = {
        file: rows if file in SHARED else [row(file, n) for n in range(count)]
        for file, rows in TABLES.items()
    }
    tables["organizations.csv"] = [
        TABLES["organizations.csv"][0] | {"id": f"o1-{n}", "name": f"Pantry {n}"}
        for n in range(organizations)
    ]
    return tables


def test_a_hundred_thousand_services_import_within_a_minute(tmp_path: Path) -> None:
    write(tmp_path, many(SERVICES))
    started, cpu = time.perf_counter(), time.process_time()
    result = hsds.read_path(tmp_path)
    took, cpu = time.perf_counter() - started, time.process_time() - cpu
    rows = sum(result.report["read"].values())
    print(f"{len(result.services)} services, {rows} rows in {took:.1f} s, {cpu:.1f} s of CPU")
    assert len(result.services) == SERVICES
    started = time.perf_counter()
    made = plan(result, (), "bench")
    sent = sum(len(record.value) for record in records(made, NOW))
    compared = time.perf_counter() - started
    print(f"{len(made.changed)} records, {sent / 1e6:.0f} MB, in {compared:.1f} s more")
    again = plan(result, (_in_force(one) for one, _ in made.changed), "bench")
    assert (len(made.changed), again.changed, again.unchanged) == (SERVICES, [], SERVICES)
    assert took + compared < GOAL_S


def _in_force(one: Imported) -> InForce:
    """The row an imported service would be."""
    said = one.body[PROVENANCE]
    return InForce(
        one.service.id, 1, one.service.organization, "bench", one.source_id, said["digest"], ended=False
    )
