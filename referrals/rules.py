"""The rules of routing that exclude a service, as one table; the first that objects names the exclusion.

Comes in: what is wanted, one service, the day. Goes out: the reason in words, or None. Decisions are stored in the
clear: a reason names the person's ZIP, language and payer, which are clear too, but of age, gender, attributes,
household and accessibility only what the service asks for, never the person's own value. What shuts a service for
everybody (inactive, closure, capacity, paused) is standing.py's.
"""

from collections.abc import Callable, Iterable
from datetime import date
from typing import NamedTuple

from referrals.directory import Service
from referrals.events import ExcludedBy
from referrals.wanted import Wanted

Rule = Callable[[Wanted, Service, date], str | None]
Limits = tuple[tuple[str, Rule], ...]


def _own(w: Wanted, s: Service, day: date) -> str | None:
    return "the sender itself" if s.organization == w.sender else None


def _preferred_only(w: Wanted, s: Service, day: date) -> str | None:
    wrong = w.preferred_only and s.organization != w.preferred
    return f"the sender asks for {w.preferred} only" if wrong else None


def _client_excluded(w: Wanted, s: Service, day: date) -> str | None:
    return "the person does not want this organization" if s.organization in w.excluded else None


def _earlier_hop(w: Wanted, s: Service, day: date) -> str | None:
    return "this organization was asked before" if s.organization in w.earlier else None


def _already_receiving(w: Wanted, s: Service, day: date) -> str | None:
    return "helps this person with this need already" if s.organization in w.receiving else None


def _outside_area(w: Wanted, s: Service, day: date) -> str | None:
    if s.statewide or (w.postal_code and w.postal_code in s.postal_codes):
        return None
    if w.county and w.county in s.counties:
        return None
    return (
        f"ZIP {w.postal_code or 'unknown'}, county {w.county or 'unknown'} is outside its service area "
        f"({_area(s)})"
    )


def _service_code(w: Wanted, s: Service, day: date) -> str | None:
    if not s.service_codes or w.service_code is None or w.service_code in s.service_codes:
        return None
    return f"asks for service {w.service_code}, offers {_list(s.service_codes)}"


def _programme(w: Wanted, s: Service, day: date) -> str | None:
    if not s.programmes or w.programme is None or w.programme in s.programmes:
        return None
    return f"asks under programme {w.programme}, takes part in {_list(s.programmes)}"


def _payer_network(w: Wanted, s: Service, day: date) -> str | None:
    if not s.payers or w.payer in s.payers:
        return None
    return f"serves members of {_list(s.payers)}; the payer is {w.payer or 'not named'}"


def _language(w: Wanted, s: Service, day: date) -> str | None:
    if w.language is None or s.interpretation:
        return None
    offered = s.languages or ("en",)
    if w.language in offered:
        return None
    return f"needs {w.language}, offers {', '.join(offered)} and no interpreter"


def _age(w: Wanted, s: Service, day: date) -> str | None:
    if w.age is None:
        return None
    if s.minimum_age is not None and w.age < s.minimum_age:
        return f"serves people of {s.minimum_age:g} years and older; the person is younger"
    # a maximum of 17 is meant to hold until the eighteenth birthday
    if s.maximum_age is not None and w.age > s.maximum_age:
        return f"serves people up to {s.maximum_age:g} years; the person is older"
    return None


def _gender(w: Wanted, s: Service, day: date) -> str | None:
    if not s.genders or w.gender is None or w.gender in s.genders:
        return None
    return f"says it serves {_list(s.genders)} only"


def _eligibility(w: Wanted, s: Service, day: date) -> str | None:
    missing = [code for code in s.eligibility if code not in w.attributes]
    return f"requires {_list(missing)}; the referral does not say so" if missing else None


def _household(w: Wanted, s: Service, day: date) -> str | None:
    if s.minimum_children is None or w.children is None or w.children >= s.minimum_children:
        return None
    return f"serves households with at least {s.minimum_children} children; this one has fewer"


def _accessibility(w: Wanted, s: Service, day: date) -> str | None:
    if not s.accessibility or all(need in s.accessibility for need in w.accessibility):
        return None
    return f"offers {_list(s.accessibility)}, which is less than the person needs"


class ServiceRule(NamedTuple):
    """A rule about what a service says of itself; `says` = whether this service says it, else it is never asked."""

    name: str
    objects: Rule
    says: Callable[[Service], object]


OF_ORGANIZATION: tuple[tuple[str, Rule], ...] = (
    ("own-organization", _own),
    ("preferred-only", _preferred_only),
    ("client-excluded", _client_excluded),
    ("earlier-hop", _earlier_hop),
    ("already-receiving", _already_receiving),
)
OF_AREA: tuple[tuple[str, Rule], ...] = (("outside-area", _outside_area),)
# What needs least said about a person comes first.
OF_SERVICE: tuple[ServiceRule, ...] = (
    ServiceRule("service-code", _service_code, lambda s: s.service_codes),
    ServiceRule("programme", _programme, lambda s: s.programmes),
    ServiceRule("payer-network", _payer_network, lambda s: s.payers),
    ServiceRule("language", _language, lambda s: not s.interpretation),
    ServiceRule("age", _age, lambda s: s.minimum_age is not None or s.maximum_age is not None),
    ServiceRule("gender", _gender, lambda s: s.genders),
    ServiceRule("eligibility", _eligibility, lambda s: s.eligibility),
    ServiceRule("household", _household, lambda s: s.minimum_children is not None),
    ServiceRule("accessibility", _accessibility, lambda s: s.accessibility),
)
# In the order they are asked; the first that objects names the exclusion.
RULES: tuple[tuple[str, Rule], ...] = (
    *OF_ORGANIZATION,
    *OF_AREA,
    *((rule.name, rule.objects) for rule in OF_SERVICE),
)


def limits(service: Service) -> Limits:
    """The rules that this service can be excluded by for what it says of itself."""
    return tuple((rule.name, rule.objects) for rule in OF_SERVICE if rule.says(service))


def suspects(wanted: Wanted) -> frozenset[str]:
    """The organizations that a rule of OF_ORGANIZATION may leave out, besides all but the preferred one."""
    return wanted.earlier | wanted.receiving | {wanted.sender, *wanted.excluded}


def excluded_by(
    rules: Iterable[tuple[str, Rule]], wanted: Wanted, service: Service, day: date
) -> ExcludedBy | None:
    """The first objection, or None."""
    for name, objects in rules:
        if (detail := objects(wanted, service, day)) is not None:
            return ExcludedBy(name, detail)
    return None


def _list(values: tuple[str, ...] | list[str]) -> str:
    return ", ".join(values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")


def _area(s: Service) -> str:
    counties = f"counties {_list(s.counties)}" if s.counties else ""
    zips = f"ZIPs {_list(s.postal_codes)}" if s.postal_codes else ""
    return "; ".join(part for part in (counties, zips) if part) or "none is known"
