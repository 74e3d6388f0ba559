"""What speaks for a service that no rule excludes: parts between 0 and 1, weighed by the policy.

Comes in: the decision's wishes, one service's standing (standing.py has the parts that do not depend on who asks). Goes
out: its parts by name. A part that is not known is left out and weighs nothing. Must never exclude anybody.
"""

from collections.abc import Callable, Mapping

from referrals.directory import Place, Service
from referrals.globe import apart_km, position
from referrals.standing import Standing
from referrals.wanted import Policy, Wanted

ENGLISH = ("en",)
PARTS = ("load", "distance", "preference", "language")
Parts = dict[str, float]


def scorer(
    rules: Policy, wanted: Wanted, here: Place | None, loads: Mapping[str, int]
) -> Callable[[Standing], tuple[float, Parts]]:
    """The function that scores each service of one decision: the weighed sum, and the parts known, from 0 to 1.

    Written out rather than as a table of functions: it runs for every service in reach of every decision.
    """
    load_weight, distance_weight, preference_weight, language_weight = (rules.weights[p] for p in PARTS)
    half_load, half_km, preferred = rules.half_load, rules.half_distance_km, wanted.preferred
    start = position(here) if here else ()

    def scored(standing: Standing) -> tuple[float, Parts]:
        service, found, total = standing.service, dict(standing.parts), standing.worth
        load = loads.get(service.organization)
        found["load"] = share = round(half_load / (half_load + load), 4) if load else 1.0
        total += load_weight * share
        if start and standing.position:
            km = apart_km(start, standing.position)
            found["distance"] = share = round(half_km / (half_km + km), 4)
            total += distance_weight * share
        if preferred is not None and service.organization == preferred:
            found["preference"] = 1.0
            total += preference_weight
        if (spoken := _language(wanted, service)) is not None:
            found["language"] = spoken
            total += language_weight * spoken
        return round(total, 6), found

    return scored


def _language(wanted: Wanted, service: Service) -> float | None:
    """The person's own language is better than an interpreter."""
    if wanted.language is None:
        return 0.5 if wanted.interpreter_needed and service.interpretation else None
    return 1.0 if wanted.language in (service.languages or ENGLISH) else 0.5
