"""The statements about the persons' keys, as the simulated database does them."""

from collections.abc import Sequence
from uuid import UUID

from tests.simulation.database import Row, Transaction
from tests.simulation.statements import inserting, statement, written

VAULT, STORE = "vault.sql", "store.sql"
written(VAULT, "keep_keys")(inserting("person_key"))


@statement(VAULT, "load_keys")
def load_keys(tx: Transaction, persons: Sequence[UUID]) -> list[Row]:
    return [row for person in persons if (row := tx.get("person_key", person)) is not None]


@statement(VAULT, "keks")
def keks(tx: Transaction) -> list[Row]:
    return list(tx.rows("key_encryption_key"))


@statement(VAULT, "keep_kek")
async def keep_kek(tx: Transaction, id: str) -> None:
    await tx.insert("key_encryption_key", {"id": id}, lenient=True)


@statement(VAULT, "forget_keys")
async def forget_keys(tx: Transaction, persons: Sequence[UUID]) -> None:
    for person in persons:
        await tx.remove("person_key", person)


@statement(STORE, "forget_matches")
async def forget_matches(tx: Transaction, persons: Sequence[UUID]) -> None:
    for row in [r for r in tx.rows("person_match") if r["person_key"] in persons]:
        await tx.remove("person_match", row["key"], row["person_key"])


@statement(STORE, "forget_unlinked")
async def forget_unlinked(tx: Transaction, persons: Sequence[UUID]) -> None:
    for person in persons:
        await tx.remove("person_unlinked", person)
