"""What each statement of the product's .sql files does to the simulated database; their text says what they lock.

Comes in: a transaction and a statement's arguments. Goes out: rows. A statement that nobody has described here fails
the run and names itself; that these mean what Postgres does is shown by running the same batches there.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from infra.postgres import queries
from tests.simulation.database import Row, Transaction

PACKAGE = "stream_processors"
FILES = (
    *(
        "progress.sql",
        "store.sql",
        "parking.sql",
        "consents.sql",
        "persons.sql",
        "coverage.sql",
        "receiving.sql",
    ),
    *("service_record.sql", "world.sql", "relay.sql", "timers.sql"),
)
PLACES = (*((PACKAGE, file) for file in FILES), ("infra.audit", "audit.sql"), ("infra.vault", "vault.sql"))
Handler = Callable[..., Any]
DESCRIBED: dict[tuple[str, str], Callable[[str], Handler]] = {}


def statement(file: str, name: str) -> Callable[[Handler], Handler]:
    """The decorated function is what a statement does."""

    def describe(handler: Handler) -> Handler:
        DESCRIBED[file, name] = lambda sql: handler
        return handler

    return describe


def written(file: str, name: str) -> Callable[[Callable[[str], Handler]], Callable[[str], Handler]]:
    """The decorated function makes what a statement does from its text: how it locks, what it compares."""

    def describe(make: Callable[[str], Handler]) -> Callable[[str], Handler]:
        DESCRIBED[file, name] = make
        return make

    return describe


def statements() -> dict[str, tuple[str, Handler]]:
    """Every statement by its text, with its name; one that is not described says so when it is used."""
    found: dict[str, tuple[str, Handler]] = {}
    for package, file in PLACES:
        for name, sql in queries(package, file).items():
            make = DESCRIBED.get((file, name))
            found[sql] = (name, make(sql) if make else _unknown(file, name))
    return found


def _unknown(file: str, name: str) -> Handler:
    def fail(*_: Any) -> None:
        raise NotImplementedError(f"describe `{name}` of {file} in tests/simulation/")

    return fail


def names_of(sql: str) -> tuple[str, ...]:
    """What the columns of a statement's arrays are called: `as new (...)`, else what is inserted into."""
    found = re.search(r"\bas (?:new|want|due|done)\s*\(([^)]*)\)", sql) or re.search(
        r"insert into \w+ \(([^)]*)\)", sql
    )
    assert found is not None, sql
    return tuple(word.strip().strip('"') for word in found[1].split(","))


def rows_of(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[Row]:
    """One row per place of the arrays, as unnest gives them."""
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def lock_of(sql: str) -> str | None:
    """The row lock that a select takes: update, share or none."""
    found = re.search(r"\bfor (update|share)\b", sql)
    return found[1] if found else None


async def held(tx: Transaction, table: str, keys: Sequence[tuple[Any, ...]], mode: str | None) -> list[Row]:
    """The rows of these keys, in their order, each locked before the next, read when all are."""
    present = [key for key in keys if tx.get(table, *key) is not None]
    if mode is not None:
        for key in present:
            await tx.lock(table, *key, shared=mode == "share")
    return [row for key in present if (row := tx.get(table, *key)) is not None]


def inserting(table: str, lenient: bool = False, **defaults: Any) -> Callable[[str], Callable[..., Any]]:
    """An insert of arrays as they come; whether a conflict is nothing is read from the text."""

    def make(sql: str) -> Handler:
        names, ignore = names_of(sql), lenient or "on conflict do nothing" in sql

        async def insert(tx: Transaction, *columns: Sequence[Any]) -> list[Row]:
            made = rows_of(names, columns)
            return [row for row in made if await tx.insert(table, defaults | row, ignore)]

        return insert

    return make


def listed(text: str | None) -> list[str]:
    """string_to_array(text, ',')."""
    return text.split(",") if text else []
