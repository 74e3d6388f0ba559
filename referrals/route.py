"""Step 3, route: which service is asked next, and why every other one is not.

Comes in: what is wanted, the directory, how loaded each organization is. Goes out: a RoutingDecided event.
Rules that exclude come first (rules.py), then a score (score.py); equal scores fall to the lower service id, so it is
repeatable. Candidates are the services of the need in reach, found by the area's index; of the others, which are only
counted (outside-area), the nearest few and the preferred organization's are named too.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from heapq import nsmallest
from operator import itemgetter

from referrals.directory import Directory, Place, Service, roughly_apart
from referrals.events import Candidate, ExcludedBy, RoutingDecided
from referrals.rules import RULES as RULES
from referrals.rules import excluded_by, rules_for
from referrals.score import Setting, parts, score
from referrals.score import distance_km as distance_km
from referrals.wanted import Policy as Policy
from referrals.wanted import Wanted as Wanted
from referrals.wanted import language_code as language_code
from referrals.wanted import policy as policy

Fit = tuple[float, str, Service, dict[str, float]]
Excluded = tuple[Service, ExcludedBy]


def route(
    wanted: Wanted,
    directory: Directory,
    loads: Mapping[str, int],
    now: datetime,
    trust: Mapping[str, float] | None = None,
) -> RoutingDecided:
    """The decision, explained. `loads` = open hops per organization (advice, not a promise), `trust` per service.

    A service out of reach is counted under outside-area whatever else would exclude it, unless it is named.
    """
    rules = policy()
    here = directory.places.get(wanted.postal_code or "")
    asked = wanted._replace(
        county=wanted.county or (here.county if here else None), language=language_code(wanted.language)
    )
    reach = directory.in_reach(asked.domain, asked.postal_code, asked.county)
    fit, excluded = _judged(Setting(rules, asked, here, loads, trust or {}, now.date()), reach.values())
    named = [
        Candidate(s.id, s.organization, score=-minus, parts=found)
        for minus, _, s, found in fit[: rules.named_candidates]
    ]
    named += _named(_nearest(here, excluded, rules.named_candidates - len(named)))
    outside = _outside(asked, directory, reach)[: rules.named_candidates - len(named)]
    named += _named(_objections(asked, outside, now.date()))
    return RoutingDecided(
        decided_at=now,
        policy=rules.version,
        directory_version=directory.version,
        chosen=fit[0][1] if fit else None,
        candidates=tuple(named),
        others_excluded=_others(excluded, named, reach, len(directory.by_domain.get(asked.domain, ()))),
    )


def _judged(at: Setting, services: Iterable[Service]) -> tuple[list[Fit], list[Excluded]]:
    """Those in reach: who fits, best first, and whom a rule leaves out."""
    rules, weights = rules_for(at.wanted, in_reach=True), at.policy.weights
    fit: list[Fit] = []
    excluded: list[Excluded] = []
    for service in services:
        if (why := excluded_by(rules, at.wanted, service, at.day)) is not None:
            excluded.append((service, why))
        else:
            found = parts(at, service)
            fit.append((-score(weights, found), service.id, service, found))
    fit.sort(key=itemgetter(0, 1))
    return fit, excluded


def _nearest(here: Place | None, excluded: list[Excluded], room: int) -> list[Excluded]:
    centre = (here.latitude, here.longitude) if here else None
    return nsmallest(room, excluded, key=lambda one: (roughly_apart(centre, one[0]), one[0].id))


def _outside(wanted: Wanted, directory: Directory, reach: Mapping[str, Service]) -> list[Service]:
    """A few that are out of reach: the preferred organization's, then the nearest."""
    few = policy().named_outside
    theirs = sorted(directory.of(wanted.domain, wanted.preferred), key=lambda s: s.id)
    around = directory.around(wanted.domain, wanted.postal_code, wanted.county, 2 * few)
    return list({s.id: s for s in (*theirs, *around) if s.id not in reach}.values())[:few]


def _objections(wanted: Wanted, services: Iterable[Service], day: date) -> list[Excluded]:
    rules = rules_for(wanted)
    return [(s, why) for s in services if (why := excluded_by(rules, wanted, s, day)) is not None]


def _named(excluded: Iterable[Excluded]) -> list[Candidate]:
    return [Candidate(s.id, s.organization, excluded_by=why) for s, why in excluded]


def _others(
    excluded: Iterable[Excluded], named: Iterable[Candidate], reach: Mapping[str, Service], total: int
) -> dict[str, int]:
    """How many of those not named each rule excluded; the ones out of reach by subtraction."""
    shown = [c for c in named if c.excluded_by]
    names = {c.service for c in shown}
    counts = Counter(why.rule for s, why in excluded if s.id not in names)
    counts["outside-area"] += total - len(reach) - sum(c.service not in reach for c in shown)
    return {rule: n for rule, n in sorted(counts.items()) if n}
