"""Step 2, consent: may this referral be disclosed now, to whom, and are its outcomes released?

Comes in: the consent said with a referral, the person's consent records, a moment. Goes out: go on, refuse or ask; whom
it covers. Pure. What a record says wins over what a referral said before it; the narrower wins otherwise.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct, structs

from referrals import words
from referrals.check import parse_time
from referrals.ids import consent_id
from referrals.sharing import sharing
from referrals.submission import Consent
from referrals.words import plain

ENDED = frozenset({"revoked", "refused"})
A_DAY = timedelta(days=1)


class Known(Struct, frozen=True, omit_defaults=True):
    """A recorded consent as it stands: its terms, none of them personal, and since when that was said."""

    since: datetime
    consent: Consent


Records = Mapping[UUID, Known]
NO_RECORDS: Records = MappingProxyType({})


class Asked(NamedTuple):
    """What is to be disclosed: the consent said with it, when and by whom; the need and its sensitivities.

    `attested`: a navigator asked the person at `said_at`, who agreed; status and dates of before no longer count.
    """

    sender: str
    said: Consent
    said_at: datetime
    domain: str
    programme: str | None = None
    sensitivity: tuple[str, ...] = ()
    attested: bool = False


class ConsentDecision(NamedTuple):
    """`verdict` is allow, refuse or review; the other two say why, for the person who reads it."""

    verdict: str
    reason: str = ""
    detail: str = ""


class Cover(NamedTuple):
    """Whom the consent covers: these organizations, or everybody (None); and why not others."""

    organizations: frozenset[str] | None = None
    why: str = ""

    def allows(self, organization: str) -> bool:
        """Whether that organization is covered."""
        return self.organizations is None or organization in self.organizations


ALLOW = ConsentDecision("allow")
BY_STATUS = {
    "active": ALLOW,
    "refused": ConsentDecision("refuse", "consent-refused", "the person refused; nothing was disclosed"),
    "revoked": ConsentDecision("refuse", "consent-refused", "the consent is revoked; nothing was disclosed"),
    "expired": ConsentDecision("review", "consent-absent", "the consent has expired; ask the person again"),
    "absent": ConsentDecision("review", "consent-absent", "no consent was sent; ask the person"),
    "elsewhere": ConsentDecision(
        "review", "consent-revoked", "the person revoked a consent elsewhere; ask again"
    ),
}
ELSEWHERE = Consent(status="elsewhere")
NOT_YET = ConsentDecision(
    "review", "consent-absent", "the consent begins on a later day; wait, or ask the person"
)


def terms(asked: Asked, records: Records, linked: Iterable[Known] = ()) -> tuple[Consent, ...]:
    """Every consent that must allow it. A referral that names no consent is ended by any the person ended since.

    `linked`: records of the same person at other senders, of which only an end counts (sharing_rules, across_links).
    """
    said, at = asked.said, asked.said_at
    known = records.get(consent_id(asked.sender, said.id)) if said.id is not None else None
    own: tuple[Consent, ...] = (said,)
    if known is not None:
        renewed = known.consent.status == "active" and known.since >= at
        own = (known.consent,) if renewed else (known.consent, said)
        at = max(at, known.since) if renewed else at
    if asked.attested:
        own = tuple(c if c.status in ENDED else _asked_again(c) for c in own)
    ended = [k.consent for k in records.values() if said.id is None and _ended_since(k, at)]
    elsewhere = any(_ended_since(k, at) for k in linked)
    return (*own, *ended, *((ELSEWHERE,) if elsewhere else ()))


def _ended_since(known: Known, at: datetime) -> bool:
    return known.consent.status in ENDED and known.since >= at


def _asked_again(consent: Consent) -> Consent:
    return structs.replace(consent, status="active", date=None, expires_at=None)


def verdict(found: Iterable[Consent], now: datetime) -> ConsentDecision:
    """The strictest verdict of several consents at `now` (aware); refuse over review over allow."""
    all_of = [of_one(c.status, c.expires_at, now, c.date) for c in found]
    if len(all_of) == 1:
        return all_of[0]
    return max(all_of, key=lambda v: ("allow", "review", "refuse").index(v.verdict))


def of_one(status: str, expires_at: str | None, now: datetime, date: str | None = None) -> ConsentDecision:
    """The verdict for one consent status (interfaces.md, Submission) with its dates."""
    if status == "active":
        ends = parse_time(expires_at) if expires_at else None
        begins = parse_time(date) if date else None
        if ends is not None and ends <= now:
            return BY_STATUS["expired"]
        if begins is not None and begins > now + A_DAY:  # a day without a time zone may be tomorrow's
            return NOT_YET
    return BY_STATUS.get(status, BY_STATUS["absent"])


def cover(found: Iterable[Consent], asked: Asked) -> Cover:
    """Whom several consents cover together; under 42 CFR Part 2 those alone that are named."""
    whole, why = None, ""
    for one in found:
        mine = _cover_of(one, asked)
        if mine.organizations is not None:
            whole = mine.organizations if whole is None else whole & mine.organizations
            why = why or mine.why
    if whole is None and "part2" in asked.sensitivity:
        return Cover(frozenset(), "under 42 CFR Part 2 the consent must name the organization; it names none")
    return Cover(whole, why)


def _cover_of(consent: Consent, asked: Asked) -> Cover:
    if not (consent.purposes or consent.data_categories or consent.scope or consent.recipients):
        return Cover()
    rules = sharing()
    purposes, categories, scope = (
        {plain(text) for text in texts}
        for texts in (consent.purposes, consent.data_categories, consent.scope)
    )
    if purposes and not purposes & rules.purposes:
        return Cover(frozenset(), f"the consent is for other purposes ({_list(purposes)})")
    if categories and categories <= rules.outcome_words:
        return Cover(frozenset(), "the consent releases outcomes alone")
    mine = rules.general_scopes | rules.outcome_words | {asked.domain, plain(asked.programme or "")}
    if scope and not scope & mine:
        return Cover(frozenset(), f"the consent is for other needs ({_list(scope)})")
    if not consent.recipients:
        return Cover()
    named = frozenset(r.organization for r in consent.recipients if r.organization)
    part2 = "part2" in asked.sensitivity
    if not part2 and any(_of_class(r.class_, asked) for r in consent.recipients):
        return Cover()
    must = "under 42 CFR Part 2 the consent must name the organization; it" if part2 else "the consent"
    return Cover(named, f"{must} names {_list(named) or 'none'}")


def _of_class(name: str | None, asked: Asked) -> bool:
    """Whether a class takes in whoever offers the help asked for; one nobody knows takes in nobody."""
    word = plain(name or "")
    return word in sharing().classes or (word == asked.domain and word in words.table("domains"))


class Release(NamedTuple):
    """Whether outcomes are released, and the rule with its version that says so."""

    outcome: bool
    rule: str


def release(found: Iterable[Consent], asked: Asked, viewer: str = "sender") -> Release:
    """An outcome is a disclosure by the organization: released by the programme's rule or by an explicit word."""
    rules = sharing()
    said = [({plain(w) for w in (*c.data_categories, *c.scope)}, c) for c in found]
    if any(words_ & rules.outcome_words for words_, _ in said):
        return Release(True, rules.name("explicit-release"))
    if any(c.data_categories for _, c in said):
        return Release(False, rules.name("outcomes-left-out"))
    rule = rules.rule(asked.programme, asked.sensitivity)
    return Release("outcome" in rule.release.get(viewer, ()), rules.name(rule.id))


def _list(values: Iterable[str]) -> str:
    known = sorted(values)
    return ", ".join(known[:5]) + (f" and {len(known) - 5} more" if len(known) > 5 else "")
