"""The statements of the audit that the exchange uses, as the simulated database does them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.simulation.database import Row, Transaction
from tests.simulation.statements import Handler, statement, written

AUDIT = "audit.sql"


@statement(AUDIT, "begin")
async def begin(tx: Transaction, chain: str, started_at: datetime, head: bytes) -> None:
    row = {"chain": chain, "started_at": started_at, "length": 0, "head": head}
    await tx.insert("audit_chain", row, lenient=True)


@statement(AUDIT, "head")
def head(tx: Transaction, chain: str) -> list[Row]:
    row = tx.get("audit_chain", chain)
    return [row] if row is not None else []


@written(AUDIT, "grow")
def grow(sql: str) -> Handler:
    compares = "length = $4" in sql

    async def run(
        tx: Transaction, chain: str, length: int, hash: bytes, loaded: int, *columns: Sequence[Any]
    ) -> list[Row]:
        await tx.lock("audit_chain", chain)
        before = tx.get("audit_chain", chain)
        if before is None or (compares and before["length"] != loaded):
            return []
        await tx.put("audit_chain", before | {"length": length, "head": hash})
        names = ("number", "kind", "at", "tenant", "body", "hash")
        made = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        for row in made:
            await tx.insert("audit_record", {"chain": chain, **row})
        return made

    return run
