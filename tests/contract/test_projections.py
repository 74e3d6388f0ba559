"""Every table is a projection with its fold, or says why it is none; a migration that adds one must decide."""

import re

from infra.migrate import files
from stream_processors.projections import NOT_PROJECTIONS, PROJECTIONS

CREATED = re.compile(r"(?im)^\s*create table (?:if not exists )?(\w+) \(")


def test_every_table_of_the_migrations_is_declared_once() -> None:
    created = {name for _, sql in files() for name in CREATED.findall(sql)} | {"schema_migration"}
    projections = [p.table for p in PROJECTIONS]
    assert len(projections) == len(set(projections)), "one entry a table"
    assert not set(projections) & set(NOT_PROJECTIONS), "a table is one or the other"
    assert created == set(projections) | set(NOT_PROJECTIONS), (
        "declare a new table in stream_processors/projections.py: a projection with its fold, or why it is none"
    )
