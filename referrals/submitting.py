"""What a submission becomes: received, then refused, reviewed or placed; a known one again: nothing, or amended.

Comes in: the referral if known, the checked submission. Goes out: facts. Pure; order check, consent, route.
"""

from hashlib import sha256
from uuid import UUID

import msgspec

from referrals import commands as c
from referrals import events as e
from referrals import ids, labels, words
from referrals.amending import rechecked
from referrals.authorizing import another_plan
from referrals.cancelling import ended
from referrals.check import parse_time
from referrals.contracts import contract_for
from referrals.coverage import today
from referrals.covering import payer_now
from referrals.duplicates import suspected
from referrals.errors import RejectionReason as No
from referrals.evolve import evolve
from referrals.permitting import standing
from referrals.placing import World, place
from referrals.state import LIKELY_DUPLICATE, Referral
from referrals.submission import Submission, county, postal_code
from referrals.withdrawing import again
from referrals.words import ReferralStatus

DUPLICATE = "likely the same person and need as an earlier referral; the contract wants it looked at"
UNSEEN = frozenset({"digest", "match_keys", "member", "named_payer", "flags"})
MAY_SUBMIT = frozenset({"clinic", "mco", "cbo", "hub", "platform"})


def submit(
    state: Referral | None, command: c.Submit, envelope: c.Envelope, world: World
) -> tuple[e.Fact, ...] | c.Rejection:
    """The facts of a submission."""
    if state is not None:
        return _again(state, command, envelope, world)
    event = received(command.submission, envelope, world)
    first = e.Fact(event, command.sealed)
    sender = world.organizations.get(envelope.organization)
    if sender is None:
        detail = "this organization is not a participant; ask the operator to add it"
        return (first, e.Fact(e.ReferralRefused(reason="unknown-sender", detail=detail)))
    if sender not in MAY_SUBMIT:
        detail = f"an organization of type {sender} does not send referrals"
        return (first, e.Fact(e.ReferralRefused(reason="not-permitted", detail=detail)))
    referral = ids.referral_id(envelope.organization, command.submission.sender_referral_id)
    if (reason := world.tombstones.get(referral)) is not None:
        return (first, e.Fact(ended(reason)))
    fresh = evolve(None, referral, first, envelope.at)
    return (first, *_onward(fresh, command.submission, envelope, world, event.match_keys))


def _onward(
    state: Referral, submission: Submission, envelope: c.Envelope, world: World, keys: tuple[UUID, ...]
) -> tuple[e.Fact, ...]:
    verdict, _ = standing(state, envelope.at, world)
    if verdict.verdict == "refuse":
        return (e.Fact(e.ReferralRefused(reason=verdict.reason, detail=verdict.detail)),)
    doubt = suspected(state, submission, envelope.at, world.people, keys, world.open)
    facts = () if doubt is None else (e.Fact(doubt),)
    if doubt is not None and doubt.action == "refuse":
        return (*facts, e.Fact(e.ReferralRefused(reason="duplicate", detail=DUPLICATE)))
    if verdict.verdict == "review":
        return (*facts, e.Fact(e.ReviewNeeded(reason=verdict.reason, detail=verdict.detail)))
    if doubt is not None and doubt.action == "hold":
        return (*facts, e.Fact(e.ReviewNeeded(reason=LIKELY_DUPLICATE, detail=DUPLICATE)))
    for fact in facts:
        state = evolve(state, state.id, fact, envelope.at)
    return (*facts, *place(state, envelope, world))


def received(submission: Submission, envelope: c.Envelope, world: World) -> e.ReferralReceived:
    """The hot, impersonal content of a submission; everything else stays in the sealed bytes."""
    need, person, row = submission.need, submission.person, words.table("domains")[submission.need.domain]
    named = submission.coverage.payer if submission.coverage else None
    member = world.coverage.keys.get((envelope.organization, envelope.event_id))
    paying = payer_now(member, named, envelope.organization, today(envelope.at), world)
    contract = contract_for(paying.payer, need.domain)
    return e.ReferralReceived(
        sender=envelope.organization,
        sender_referral_id=submission.sender_referral_id,
        person_key=ids.person_key(envelope.organization, person.person_id),
        domain=need.domain,
        service=need.service,
        programme=need.programme,
        code=need.code,
        digest=digest(submission),
        requested_at=parse_time(submission.requested_at or "") or envelope.occurred_at,
        contract=contract.id,
        hub=world.hub,
        payer=paying.payer,
        named_payer=named,
        member=member,
        case_id=submission.case_id,
        priority=submission.priority,
        sensitivity=labels.joined(submission.sensitivity, row["sensitivity"]),
        postal_code=postal_code(submission),
        county=county(submission),
        language=person.spoken_language,
        routing=submission.routing or row["routing"],
        preferred=submission.preferred_organization,
        excluded=submission.excluded_organizations,
        consent_status=submission.consent.status,
        consent_id=submission.consent.id,
        consent_said_at=min(envelope.occurred_at, envelope.at),
        flags=(*flags(submission, envelope, world), *paying.flags),
        approval=contract.authorized_before(need.domain),
        match_keys=world.people.keys.get((envelope.organization, envelope.event_id), ()),
    )


def flags(submission: Submission, envelope: c.Envelope, world: World) -> tuple[str, ...]:
    """What a person should know though it stops nothing."""
    code, coverage = submission.need.code, submission.coverage
    referral = ids.referral_id(envelope.organization, submission.sender_referral_id)
    need = (ids.person_key(envelope.organization, submission.person.person_id), submission.need.domain)
    found = {
        "unknown-need-code": code is not None
        and code.code is not None
        and code.code not in words.table("need_codes").get(code.system or "", {}),
        "unknown-payer": coverage is not None
        and coverage.payer is not None
        and world.organizations.get(coverage.payer) != "mco",
        "contact-prohibited": submission.person.contact is not None
        and bool(submission.person.contact.prohibited),
        "unknown-preferred-organization": submission.preferred_organization is not None
        and world.organizations.get(submission.preferred_organization) != "cbo",
        "already-receiving": bool(world.receiving(referral, need, envelope.at)),
    }
    return tuple(name for name, holds in found.items() if holds)


def digest(submission: Submission) -> str:
    """sha256 of the canonical body: the same request again has the same digest."""
    return sha256(msgspec.json.encode(submission)).hexdigest()


def _again(
    state: Referral, command: c.Submit, envelope: c.Envelope, world: World
) -> tuple[e.Fact, ...] | c.Rejection:
    if envelope.organization != state.sender:
        return c.Rejection(No.NOT_PERMITTED, "only its sender changes a referral")
    event = received(command.submission, envelope, world)
    if event.digest == state.digest:
        return ()
    if state.status in words.TERMINAL:
        return c.Rejection(No.CLOSED, f"the referral is {state.status}; send a new one")
    content = {f: getattr(event, f) for f in event.__struct_fields__}
    content |= {"requested_at": state.requested_at, "consent_said_at": state.consent_said_at}
    content["sensitivity"] = labels.joined(state.sensitivity, event.sensitivity)
    changed = tuple(f for f in content if f not in UNSEEN and content[f] != getattr(state, f)) or ("person",)
    amended = e.Fact(e.ReferralAmended(**content, changed=changed), command.sealed)
    after = evolve(state, state.id, amended, envelope.at)
    said = again(after, envelope, world, waiting_for=None)
    if said or after.status in (ReferralStatus.NEEDS_REVIEW, ReferralStatus.RECEIVED):
        return (amended, *said)
    asking = another_plan(after, envelope, world)
    for fact in asking:
        after = evolve(after, state.id, fact, envelope.at)
    return (amended, *asking, *rechecked(state, after, changed, envelope, world))
