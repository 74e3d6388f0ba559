"""Who pays for a referral on a day: a pure function of the payer named with it and the spells known of the member.

Comes in: spells as plans said them, in any order. Goes out: the payer, and what is doubtful. Must never depend on the
order in which spells became known, nor let a plan take a member whom the plan named still covers or never spoke of.
"""

import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from referrals.contracts import DEFAULT, contract_of, member_ids

UNVERIFIED = "coverage-unverified"
ENDED = "coverage-ended"
OTHER_PAYER = "coverage-other-payer"
FLAGS = frozenset({UNVERIFIED, ENDED, OTHER_PAYER})
A_DAY = timedelta(days=1)


class Spell(Struct, frozen=True, kw_only=True):
    """One plan covers one member from one day to another, both included; one that ends before it begins never was."""

    payer: str
    from_: date = field(name="from")
    to: date | None = None
    version: int = 1

    def covers(self, day: date) -> bool:
        """Whether the day lies in it."""
        return self.from_ <= day and (self.to is None or day <= self.to)


class SaidSpell(Struct, frozen=True, kw_only=True):
    """What a plan seals into a spell: its number for the member, and the days."""

    member_id: str
    from_: date = field(name="from")
    to: date | None = None


Spells = Mapping[str, Spell]
Event = tuple[str, UUID]


class Known(NamedTuple):
    """What a batch knows: the member key of each event that names a member, and the spells under a key."""

    keys: Mapping[Event, UUID] = {}
    spells: Callable[[UUID], Spells] = lambda member: {}


class Payer(NamedTuple):
    """Who pays, since which day by whose spell, and the flags that say what is doubtful."""

    payer: str | None
    since: date | None = None
    flags: tuple[str, ...] = ()


def payer_on(day: date, named: str | None, spells: Iterable[Spell], sender: str = "") -> Payer:
    """Who pays on `day`: the payer named while it covers the member, or whoever follows it; with no word of it, itself.

    A plan follows only where the one named has said when its own coverage ends. `sender`: a plan that names itself
    needs no proof. Of several that cover the day, the one whose spell began first.
    """
    known = tuple(spells)
    if named is None:
        return Payer(None)
    covering = [s for s in known if s.covers(day)]
    own = [s for s in covering if s.payer == named]
    if own:
        return Payer(named, min(s.from_ for s in own))
    if not any(s.payer == named for s in known):
        return Payer(named, flags=() if named == sender else (UNVERIFIED,))
    if not covering:
        return Payer(None, flags=(ENDED,))
    next_one = min(covering, key=lambda s: (s.from_, s.payer))
    return Payer(next_one.payer, next_one.from_, (OTHER_PAYER,))


def next_change(after: date, spells: Iterable[Spell]) -> date | None:
    """The first day after `after` on which a spell begins or no longer holds."""
    days = [d for s in spells for d in (s.from_, s.to + A_DAY if s.to and s.to < date.max else None) if d]
    return min((d for d in days if d > after), default=None)


def today(at: datetime) -> date:
    """The day it is at `at` where the plans count their days."""
    return at.astimezone(_zone()).date()


def begins(day: date) -> datetime:
    """The instant at which a day begins there."""
    return datetime.combine(day, time(), _zone())


def _zone() -> ZoneInfo:
    """That of the exchange's own contract."""
    return ZoneInfo(contract_of(DEFAULT).calendar.time_zone)


def member_key(payer: str, member_id: str, secret: bytes) -> UUID:
    """Under which key a member is found: HMAC-SHA256 (128 bits) of whose numbering it is, and the id.

    A plan's own numbering, unless its contract names one that plans share: two plans' equal numbers are two persons.
    """
    plain = re.sub(r"[^0-9A-Z]", "", member_id.upper()) or member_id
    digest = hmac.digest(secret, f"member|{member_ids(payer)}|{plain}".encode(), "sha256")
    return UUID(bytes=digest[:16])
