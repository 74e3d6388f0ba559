"""What an amendment does to who was asked or has accepted: their services are judged anew by routing's rules.

Comes in: the referral before and after, the fields that changed, the world. Goes out: facts. Pure. Only what the
amendment itself made unsuitable counts: an organization that has accepted keeps the referral and is told.
"""

from referrals import commands as c
from referrals import events as e
from referrals.events import ExcludedBy
from referrals.evolve import UNSUITABLE
from referrals.placing import World, place, wanted
from referrals.route import objection
from referrals.state import Hop, Referral


def rechecked(
    before: Referral, after: Referral, changed: tuple[str, ...], envelope: c.Envelope, world: World
) -> tuple[e.Fact, ...]:
    """Asked hops that no longer fit are ended and the referral is placed again; a holder is told."""
    wrong = {h.hop: _made_unsuitable(before, after, h, envelope, world) for h in after.open_hops}
    held = after.held
    if held is not None:
        why = wrong[held.hop]
        return (e.Fact(e.HopUnsuitable(hop=held.hop, rule=why.rule, changed=changed)),) if why else ()
    ended = tuple(h for h in after.asked if wrong[h.hop] is not None)
    facts = tuple(e.Fact(e.HopCancelled(hop=h.hop, reason=UNSUITABLE)) for h in ended)
    if not ended or len(ended) < len(after.asked):
        return facts
    return (*facts, *place(after, envelope, world))


def _made_unsuitable(
    before: Referral, after: Referral, hop: Hop, envelope: c.Envelope, world: World
) -> ExcludedBy | None:
    service = world.directory.services.get(hop.service)
    if service is None:
        return None

    def says(state: Referral) -> ExcludedBy | None:
        submission, day = world.open(state.id, state.sealed) if state.sealed else None, envelope.at.date()
        asking = wanted(state, submission, day)._replace(earlier=frozenset())
        return objection(asking, world.directory, service, day)

    return says(after) if says(before) is None else None
