"""Step 3, route: which service is asked next, and why every other one is not.

Comes in: what is wanted, the directory, how loaded each organization is. Goes out: a RoutingDecided event.
Rules that exclude come first (rules.py), then a score (score.py); equal scores fall to the lower service id, so it is
repeatable. Candidates are the services of the need in reach, found by the area's index; of the others, which are only
counted (outside-area), the nearest few and the preferred organization's are named too.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from heapq import nsmallest
from itertools import chain, islice
from operator import itemgetter

from referrals.directory import Directory, Place, Service, roughly_apart
from referrals.events import Candidate, ExcludedBy, RoutingDecided
from referrals.rules import OF_AREA, OF_ORGANIZATION, RULES, excluded_by, suspects
from referrals.score import Parts, scorer
from referrals.standing import Standing, Standings
from referrals.wanted import Wanted, language_code

Fit = tuple[float, str, Service, Parts]
Excluded = tuple[Service, ExcludedBy]


def route(
    wanted: Wanted,
    directory: Directory,
    loads: Mapping[str, int],
    now: datetime,
    standings: Standings | None = None,
) -> RoutingDecided:
    """The decision, explained. `loads` = open hops per organization (advice, not a promise).

    `standings`: how each service stands, and the policy; without it no service has a record. A service out of reach is
    counted under outside-area whatever else would exclude it, unless it is named.
    """
    stands = standings or Standings()
    rules, day = stands.policy, now.date()
    here, asked = _located(wanted, directory)
    reach = directory.in_reach(asked.domain, asked.postal_code, asked.county)
    fit, excluded = _judged(asked, stands, day, reach.values(), scorer(rules, asked, here, loads))
    named = [
        Candidate(s.id, s.organization, score=-minus, parts=found)
        for minus, _, s, found in fit[: rules.named_candidates]
    ]
    named += _named(_nearest(here, excluded, rules.named_candidates - len(named)))
    room = min(rules.named_outside, rules.named_candidates - len(named))
    named += _named(_objections(asked, _outside(asked, directory, reach, room), day))
    return RoutingDecided(
        decided_at=now,
        policy=rules.version,
        directory_version=directory.version,
        chosen=fit[0][1] if fit else None,
        candidates=tuple(named),
        others_excluded=_others(excluded, named, reach, len(directory.needed(asked.domain))),
    )


def objection(wanted: Wanted, directory: Directory, service: Service, day: date) -> ExcludedBy | None:
    """Why this one service does not fit this person, or None; outside of any decision, however full it is now."""
    if wanted.domain not in service.domains:
        return ExcludedBy("need", f"does not offer {wanted.domain}")
    return excluded_by(RULES, _located(wanted, directory)[1], service, day)


def _located(wanted: Wanted, directory: Directory) -> tuple[Place | None, Wanted]:
    here = directory.places.get(wanted.postal_code or "")
    county = wanted.county or (here.county if here else None)
    return here, wanted._replace(county=county, language=language_code(wanted.language))


def _judged(
    wanted: Wanted,
    stands: Standings,
    day: date,
    services: Iterable[Service],
    scored: Callable[[Standing], tuple[float, Parts]],
) -> tuple[list[Fit], list[Excluded]]:
    """Those in reach: who fits, best first, and whom a rule leaves out."""
    suspect, known = suspects(wanted), stands.on(day)
    only = _asks_of_all(wanted)
    fit: list[Fit] = []
    excluded: list[Excluded] = []
    for service in services:
        stand = known.get(service.id)
        if stand is None or stand.service is not service:
            stand = stands.of(service, day)
        why = stand.shut
        if only or service.organization in suspect:
            why = excluded_by(OF_ORGANIZATION, wanted, service, day) or why
        if why is None and stand.limits:
            why = excluded_by(stand.limits, wanted, service, day)
        if why is not None:
            excluded.append((service, why))
        else:
            total, found = scored(stand)
            fit.append((-total, service.id, service, found))
    fit.sort(key=itemgetter(0, 1))
    return fit, excluded


def _nearest(here: Place | None, excluded: list[Excluded], room: int) -> list[Excluded]:
    centre = (here.latitude, here.longitude) if here else None
    return nsmallest(room, excluded, key=lambda one: (roughly_apart(centre, one[0]), one[0].id))


def _outside(wanted: Wanted, directory: Directory, reach: Mapping[str, Service], room: int) -> list[Service]:
    """A few that are out of reach: the preferred organization's, then the nearest."""
    if room <= 0:
        return []
    theirs = sorted(directory.of(wanted.domain, wanted.preferred), key=lambda s: s.id)
    around = directory.around(wanted.domain, wanted.postal_code)
    nearest = (s for s in around if s.id not in reach and s.organization != wanted.preferred)
    return list(islice(chain((s for s in theirs if s.id not in reach), nearest), room))


def _objections(wanted: Wanted, services: Iterable[Service], day: date) -> list[Excluded]:
    only, suspect = _asks_of_all(wanted), suspects(wanted)
    found = []
    for service in services:
        rules = (*OF_ORGANIZATION, *OF_AREA) if only or service.organization in suspect else OF_AREA
        if (why := excluded_by(rules, wanted, service, day)) is not None:
            found.append((service, why))
    return found


def _asks_of_all(wanted: Wanted) -> bool:
    """Whether OF_ORGANIZATION may leave out others than the suspects."""
    return wanted.preferred_only or wanted.covered.organizations is not None


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
