"""What coverage does: a plan's spell recorded, the spells of one member gathered, a referral that looks again.

Comes in: streams and referrals as they stand, a command, its envelope. Goes out: facts, None, or a Rejection. Pure.
Two streams: `coverage` is one spell as its plan says it; `member` is every plan's spells of one member, by key.
"""

from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from referrals import commands as c
from referrals import events as e
from referrals import words
from referrals.amending import rechecked
from referrals.authorizing import another_plan
from referrals.contracts import contract_for
from referrals.coverage import FLAGS, Payer, Spell, Spells, payer_on, today
from referrals.errors import RejectionReason as No
from referrals.evolve import evolve
from referrals.placing import World
from referrals.state import Referral

SPELL, MEMBER = "coverage", "member"
KNOWN = "coverage-known"


def keyed(command: c.RecordFact, member: UUID | None) -> c.RecordFact:
    """A spell as it is decided on: the member's number has become a key."""
    data = {k: v for k, v in command.data.items() if k != "member_id"}
    return msgspec.structs.replace(command, data=data | {"member": str(member) if member else None})


def spell_said(before: Any, command: c.RecordFact, envelope: c.Envelope) -> c.RecordFact | c.Rejection | None:
    """A spell as its plan says it now; what was said earlier in the world changes nothing that was said later."""
    said = {k: command.data.get(k) for k in ("person_key", "member", "from", "to")}
    said["said_at"] = msgspec.to_builtins(min(envelope.occurred_at, envelope.at))
    if said["member"] is None:
        return c.Rejection(No.INVALID, "the spell names no member; send member_id")
    if before is not None and before.data.get("member"):
        if before.data["member"] != said["member"]:
            return c.Rejection(No.INVALID, "this spell is another member's; use an id of its own for each")
        dates = [before.data[k] == said[k] for k in ("from", "to")]
        if all(dates) or said["said_at"] < before.data["said_at"]:
            return None
    return c.RecordFact(SPELL, command.stream_id, command.type, said, command.sealed)


def member_known(before: Any, command: c.RecordFact, envelope: c.Envelope) -> c.RecordFact | None:
    """The spells of one member with one of them as it is now; an older version of it changes nothing."""
    known = dict(spells_of(before.data)) if before is not None else {}
    name, said = command.data["spell"], msgspec.convert(command.data["said"], Spell)
    if name in known and known[name].version >= said.version:
        return None
    data = {"spells": msgspec.to_builtins(known | {name: said})}
    return c.RecordFact(MEMBER, command.stream_id, KNOWN, data)


def spells_of(data: Any) -> Spells:
    """The spells that a member's stream holds."""
    return msgspec.convert(data["spells"], dict[str, Spell])


def payer_now(member: UUID | None, named: str | None, sender: str, day: date, world: World) -> Payer:
    """Who pays on a day for a member, as spells of plans say; a payer that is no plan here is taken as named."""
    if world.organizations.get(named or "") != "mco":
        return Payer(named)
    spells = world.coverage.spells(member).values() if member is not None else ()
    plans = [s for s in spells if world.organizations.get(s.payer) == "mco"]
    return payer_on(day, named, plans, sender)


def reached(
    state: Referral, command: c.CoverageReached, envelope: c.Envelope, world: World
) -> tuple[e.Fact, ...]:
    """A spell of the member is new, changed, begins or is over: the payer of an open referral follows it.

    Who was asked is judged anew by the new plan's network; who has accepted keeps the referral.
    """
    if state.status in words.TERMINAL:
        return ()
    now = payer_now(state.member, state.named_payer, state.sender, today(envelope.at), world)
    doubts = tuple(f for f in state.flags if f in FLAGS)
    if (now.payer, now.flags) == (state.payer, doubts):
        return ()
    contract = contract_for(now.payer, state.domain)
    changed = e.Fact(
        e.CoverageChanged(
            payer=now.payer,
            contract=contract.id,
            approval=contract.authorized_before(state.domain),
            payer_before=state.payer,
            since=now.since,
            flags=now.flags,
        )
    )
    after = evolve(state, state.id, changed, envelope.at)
    said = another_plan(after, envelope, world)
    for fact in said:
        after = evolve(after, state.id, fact, envelope.at)
    return (changed, *said, *rechecked(state, after, ("payer",), envelope, world))
