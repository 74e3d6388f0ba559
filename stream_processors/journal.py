"""What a batch has recorded so far, written while it goes on: its facts and its outcomes, which nothing later changes.

Comes in: the work as it grows. Goes out: rows of history and inbox, each once. Must never be used for work that may
still be decided anew (capacity.py).
"""

from infra.postgres import queries
from stream_processors import rows
from stream_processors.work import Work
from stream_processors.writes import Writes, columns

SQL = queries("stream_processors", "store.sql")


class Journal:
    """The two tables that only grow."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._facts = self._events = 0

    async def note(self, work: Work) -> None:
        """Write what is new since the last time; Postgres goes on while the next records are decided."""
        facts, events = work.history[self._facts :], work.inbox[self._events :]
        self._facts, self._events = len(work.history), len(work.inbox)
        if facts:
            await self._writes.send(SQL["insert_history"], columns([rows.history_row(w) for w in facts]))
        if events:
            await self._writes.send(SQL["insert_inbox"], columns([rows.inbox_row(*i) for i in events]))

    async def done(self) -> None:
        """The session is free for other statements."""
        await self._writes.done()
