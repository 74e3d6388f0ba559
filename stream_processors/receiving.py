"""Where the persons of a batch are helped already with the need they come with: read once, kept as the batch goes on.

Comes in: the submissions and referrals of a batch. Goes out: helps by person and need. Must never decide.
"""

from collections.abc import Iterable, Mapping

from infra.postgres import Connection, queries
from referrals import commands as c
from referrals import ids
from referrals.receiving import Help, Need, helps_of, need_of
from referrals.state import Referral
from stream_processors.decode import Arrival

SQL = queries("stream_processors", "receiving.sql")


class Helps(dict[Need, tuple[Help, ...]]):
    """Helps as they were loaded, and as the batch changes them."""

    def note(self, state: Referral) -> None:
        """Who helps by this referral now."""
        need, mine = need_of(state), helps_of(state)
        if mine or need in self:
            others = (h for h in self.get(need, ()) if h.referral != state.id)
            self[need] = (*others, *mine)


async def load_helps(
    connection: Connection, arrivals: Iterable[Arrival], known: Iterable[Referral]
) -> Mapping[Need, tuple[Help, ...]]:
    """Who helps these persons with these needs, or has helped."""
    commands = ((a.envelope.organization, a.command) for a in arrivals)
    submitted = (
        (ids.person_key(sender, said.submission.person.person_id), said.submission.need.domain)
        for sender, said in commands
        if isinstance(said, c.Submit)
    )
    needs = list({*submitted, *map(need_of, known)})
    found: dict[Need, tuple[Help, ...]] = {}
    if needs:
        columns = [list(column) for column in zip(*needs, strict=True)]
        for r in await connection.fetch(SQL["load_helps"], *columns):
            need = (r["person_key"], r["domain"])
            found[need] = (*found.get(need, ()), Help(r["referral_id"], r["recipient"], r["until"]))
    return found
