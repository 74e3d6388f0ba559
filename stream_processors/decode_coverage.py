"""The records of coverage as decode.py reads them: a plan's spell, the exchange's copy of it, a look-again.

Comes in: decoded fields. Goes out: a command, its stream's kind and id. Raises ValueError for what cannot be read.
Must never put a member's number where it would be recorded in the clear.
"""

from typing import Any
from uuid import UUID

import msgspec

from producers.envelope import unseal
from referrals import check
from referrals import commands as c
from referrals.check import Invalid, Problem
from referrals.coverage import SaidSpell, Spell
from referrals.covering import KNOWN, MEMBER, SPELL

Fields = dict[str, Any]


def spell(fields: Fields) -> tuple[c.RecordFact, str, UUID]:
    """The member's number stays with the command until it is a key (members.py). Raises Invalid."""
    try:
        said = msgspec.json.decode(unseal(fields["sealed"]), type=SaidSpell)
    except msgspec.ValidationError as error:
        raise Invalid([check.located(error)]) from None
    if not said.member_id.strip() or len(said.member_id) > check.MAX_ID:
        raise Invalid([Problem("/member_id", f"send 1 to {check.MAX_ID} characters")])
    data = msgspec.to_builtins(said) | {"person_key": str(UUID(fields["person_key"]))}
    stream_id = UUID(fields["spell_id"])
    return c.RecordFact(SPELL, stream_id, "coverage-spell", data, fields["sealed"]), SPELL, stream_id


def member(fields: Fields) -> tuple[c.RecordFact, str, UUID]:
    """One spell for the stream of its member."""
    said = {"payer": fields["payer"], "from": fields["from"], "version": fields["spell_version"]}
    said |= {"to": fields["to"]} if fields["to"] else {}
    msgspec.convert(said, Spell)
    stream_id, data = UUID(fields["member"]), {"spell": fields["spell_id"], "said": said}
    return c.RecordFact(MEMBER, stream_id, KNOWN, data), MEMBER, stream_id


def reached(fields: Fields) -> tuple[c.Command, str, UUID]:
    """A referral is asked to look again."""
    return c.CoverageReached(), "referral", UUID(fields["referral_id"])
