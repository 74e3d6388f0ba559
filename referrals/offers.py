"""Offer rounds: several organizations asked at once, of whom the first to accept wins.

Comes in: the referral, the hop that answered or fell silent, the world. Goes out: facts. Pure. While anybody of a round
may still answer nobody else is asked; when the last has said no or nothing, the next round begins or the hub looks.
"""

from referrals import events as e
from referrals.commands import Envelope
from referrals.placing import World, place
from referrals.state import Hop, Referral

TAKEN = "accepted-elsewhere"


def others_asked(state: Referral, hop: Hop) -> tuple[Hop, ...]:
    """Who of the same round still may answer."""
    return tuple(h for h in state.asked if h.hop != hop.hop)


def superseded(state: Referral, hop: Hop) -> tuple[e.Fact, ...]:
    """The others are told that this hop's organization helps, and not to contact the person."""
    return tuple(e.Fact(e.HopSuperseded(hop=h.hop, reason=TAKEN)) for h in others_asked(state, hop))


def next_round(state: Referral, hop: Hop, envelope: Envelope, world: World) -> tuple[e.Fact, ...]:
    """Who is asked after this hop's no: nobody while others of the round may still say yes."""
    if others_asked(state, hop):
        return ()
    return place(state, envelope, world, asked=frozenset({hop.organization}))


def handed_on(state: Referral, hop: Hop, envelope: Envelope, world: World) -> tuple[e.Fact, ...]:
    """Who takes this hop's place: in its round, while others of it may still answer."""
    asked = frozenset({hop.organization})
    if not others_asked(state, hop):
        return place(state, envelope, world, asked)
    placed = place(state, envelope, world, asked, offer=hop.offer)
    return tuple(fact for fact in placed if not isinstance(fact.event, e.ReviewNeeded))


def expired(state: Referral, hop: Hop, envelope: Envelope, world: World) -> tuple[e.Fact, ...]:
    """Silence past the deadline: this hop and all that were due no later; then the next round."""
    late = [h for h in state.asked if h.due_at <= hop.due_at]
    facts = tuple(e.Fact(e.HopExpired(hop=h.hop)) for h in late)
    if len(late) < len(state.asked):
        return facts
    return (*facts, *place(state, envelope, world, asked=frozenset(h.organization for h in late)))
