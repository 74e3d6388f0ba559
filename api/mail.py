"""The links that people, or an admin for them, asked for go out by e-mail: a row is taken, its token made, the message
sent, tried again.

Comes in: rows of login_link. Goes out: e-mails. Must never store a token, send one that is older than its message, or
keep an answer waiting for a mail server.
"""

import asyncio
import contextlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import structlog

from api.database import Database, DatabaseAway
from api.link_mail import invitation, link_mail
from infra import smtp, waiting
from infra.passwords import hashed
from infra.postgres import queries
from infra.settings import Settings

SQL = queries("api", "mail.sql")
log = structlog.get_logger("refex.api")
LIFE: Final = timedelta(minutes=15)
INVITED: Final = timedelta(hours=12)
AGAIN: Final = timedelta(seconds=30)
TRIES: Final = 6
LOOK_S: Final = 10.0


class Mail:
    """`run` for as long as the application runs; `wake` when somebody asked."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._woken = asyncio.Event()

    @property
    def possible(self) -> bool:
        """Whether a mail server is configured."""
        return bool(self._settings.smtp_url)

    def wake(self) -> None:
        """Somebody asked for a link."""
        self._woken.set()

    async def run(self) -> None:
        """Send what was asked for, whichever process it asked."""
        while self.possible:
            with contextlib.suppress(DatabaseAway):
                while await self.send_one():
                    pass
            await waiting.woken(self._woken, LOOK_S)
            self._woken.clear()

    async def send_one(self) -> bool:
        """Send the link that has waited longest; False when none waits."""
        token, now = "L" + secrets.token_urlsafe(32), datetime.now(UTC)
        async with self._database.own() as connection:
            values = (hashed(token), now, now + LIFE, now + AGAIN, TRIES, now + INVITED)
            row = await connection.fetchrow(SQL["claim"], *values)
        if row is None:
            return False
        base = self._settings.base_url
        sender = self._settings.smtp_from or f"no-reply@{urlsplit(base).hostname}"
        write = invitation if row["invited"] else link_mail
        message = write(row["language"], sender, row["email"], f"{base}/login/link/{token}")
        try:
            await asyncio.to_thread(smtp.send, self._settings.smtp_url or "", message)
        except (smtp.MailError, ValueError) as error:
            log.warning("an e-mail could not be sent", error=error)
            return True
        async with self._database.own() as connection:
            await connection.execute(SQL["sent"], row["id"], datetime.now(UTC))
        return True
