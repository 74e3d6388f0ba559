"""Whether this process can serve: Postgres and the broker answer, migrations are current, projections are whole.

Comes in: addresses. Goes out: what is wrong with each, within five seconds. Looks by sessions of its own, so that busy
pools do not count as a database that is away, and at most four times a second, for /readyz is open to everyone.
"""

import asyncio

import asyncpg

from api.database import WHOLE
from infra.kafka import KafkaLogin
from infra.migrate import MigrationError, pending
from infra.postgres import ENDED
from infra.reachable import AWAY, OK, PATIENCE_S, Broker, Session, Shared

REBUILDING = "being rebuilt; if that was cut short, run `refex rebuild --replace` again"


class Readiness:
    """`checks` as often as anyone asks; `close` at the end."""

    def __init__(self, url: str, login: KafkaLogin) -> None:
        self._session = Session(url, "reader")
        self._broker = Broker(login)
        self.checks = Shared(self._look)

    async def close(self) -> None:
        """Let go of everything kept open."""
        await self.checks.close()
        self._session.drop()
        await self._broker.close()

    async def _look(self) -> dict[str, str]:
        database, kafka = await asyncio.gather(self._database(), self._broker.answers())
        return dict(zip(("postgres", "migrations", "projections"), database, strict=True)) | {"kafka": kafka}

    async def _database(self) -> tuple[str, str, str]:
        if (answer := await self._session.answers()) != OK:
            return answer, "unknown", "unknown"
        try:
            async with asyncio.timeout(PATIENCE_S / 2):
                todo = await pending(await self._session.connection())
                whole = bool(todo) or await (await self._session.connection()).fetchval(WHOLE)
        except (MigrationError, asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError) as error:
            return OK, f"cannot be read ({type(error).__name__}); run `refex migrate`", "unknown"
        except (OSError, TimeoutError, asyncpg.PostgresError, *ENDED):
            self._session.drop()
            return AWAY, "unknown", "unknown"
        migrated = f"{len(todo)} to run; run `refex migrate`" if todo else OK
        return OK, migrated, OK if whole else REBUILDING
