"""The directory as routing sees it: services by need and area, places by ZIP; frozen and versioned.

Comes in: rows already read. Goes out: look-ups. Must never read a file or a database itself.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from msgspec import Struct

NEAREST = 400


def county_key(name: str | None) -> str:
    """A county as it is compared: lower case, without the suffix; empty for none."""
    return (name or "").strip().lower().removesuffix(" county")


class Place(NamedTuple):
    """A ZIP's centre (degrees) and county (lower case, no suffix)."""

    latitude: float
    longitude: float
    county: str


class Service(Struct, frozen=True, kw_only=True):
    """One service of one CBO, as far as routing compares it; every default excludes nobody.

    `closures` are [from, to] dates (ISO), both included; `counties` lower case without suffix; `service_codes`
    are "system|code"; `eligibility` codes are all required; `payers` empty = everyone's members.
    """

    id: str
    organization: str
    name: str
    domains: tuple[str, ...]
    languages: tuple[str, ...] = ()
    postal_codes: tuple[str, ...] = ()
    counties: tuple[str, ...] = ()
    statewide: bool = False
    latitude: float | None = None
    longitude: float | None = None
    active: bool = True
    closures: tuple[tuple[str, str], ...] = ()
    minimum_age: float | None = None
    maximum_age: float | None = None
    genders: tuple[str, ...] = ()
    accessibility: tuple[str, ...] = ()
    payers: tuple[str, ...] = ()
    eligibility: tuple[str, ...] = ()
    minimum_children: int | None = None
    interpretation: bool = False
    service_codes: tuple[str, ...] = ()
    programmes: tuple[str, ...] = ()
    assured_date: str | None = None
    capacity_status: str | None = None
    capacity_updated: str | None = None
    capacity_available: int | None = None
    capacity_version: int = 0

    def closed_on(self, day: date) -> bool:
        """Whether a dated closure is in force; opening hours are not asked."""
        return bool(self.closures) and any(first <= day.isoformat() <= last for first, last in self.closures)


class Directory:
    """A snapshot of all services, with its version: by id, and by need with the area they serve."""

    def __init__(self, version: int, services: Iterable[Service], places: Mapping[str, Place]) -> None:
        self.version = version
        self.places = places
        self.services = {s.id: s for s in services}
        self.by_domain: dict[str, list[Service]] = {}
        self._of: dict[tuple[str, str], list[Service]] = {}
        self._in_county: dict[tuple[str, str], dict[str, Service]] = {}
        self._in_zip: dict[tuple[str, str], dict[str, Service]] = {}
        self._statewide: dict[str, dict[str, Service]] = {}
        self._centres: dict[str, tuple[float, float] | None] = {}
        self._around: dict[tuple[str, str], list[Service]] = {}
        for service in self.services.values():
            for domain in service.domains:
                self._add(domain, service)

    def _add(self, domain: str, service: Service) -> None:
        self.by_domain.setdefault(domain, []).append(service)
        self._of.setdefault((domain, service.organization), []).append(service)
        if service.statewide:
            self._statewide.setdefault(domain, {})[service.id] = service
            return
        for county in service.counties:
            self._in_county.setdefault((domain, county), {})[service.id] = service
        for postal_code in service.postal_codes:
            self._in_zip.setdefault((domain, postal_code), {})[service.id] = service

    def in_reach(self, domain: str, postal_code: str | None, county: str | None) -> dict[str, Service]:
        """The services of the need whose area holds the ZIP or the county, by id; found without looking at others."""
        return (
            self._statewide.get(domain, {})
            | self._in_county.get((domain, county or ""), {})
            | self._in_zip.get((domain, postal_code or ""), {})
        )

    def of(self, domain: str, organization: str | None) -> Iterable[Service]:
        """One organization's services of the need, wherever they are."""
        return self._of.get((domain, organization or ""), ())

    def around(self, domain: str, postal_code: str | None) -> list[Service]:
        """The services of the need nearest to a ZIP's region (its first three digits), at most NEAREST of them.

        By id where there is no position. Kept once computed: it follows from the snapshot alone.
        """
        region = (postal_code or "")[:3]
        if (domain, region) not in self._around:
            centre = self._centre(region)
            found = sorted(self.by_domain.get(domain, ()), key=lambda s: (roughly_apart(centre, s), s.id))
            self._around[domain, region] = found[:NEAREST]
        return self._around[domain, region]

    def _centre(self, region: str) -> tuple[float, float] | None:
        """The middle of a region's ZIPs."""
        if region not in self._centres:
            inside = [p for code, p in self.places.items() if region and code.startswith(region)]
            n = len(inside)
            self._centres[region] = (
                (sum(p.latitude for p in inside) / n, sum(p.longitude for p in inside) / n) if n else None
            )
        return self._centres[region]


def roughly_apart(here: tuple[float, float] | None, service: Service) -> float:
    """Degrees squared, good enough to order by; without a position the farthest of all."""
    if here is None or service.latitude is None or service.longitude is None:
        return float("inf")
    return (here[0] - service.latitude) ** 2 + 0.64 * (here[1] - service.longitude) ** 2
