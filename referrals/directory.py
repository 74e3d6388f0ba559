"""The directory as routing sees it: services by need and area, places by ZIP; frozen and versioned.

Comes in: rows already read. Goes out: look-ups, and the next snapshot. Must never read a file or a database itself,
nor change a snapshot that was given out.
"""

from collections.abc import Iterable, Iterator, Mapping
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
    capacity_until: str | None = None

    def closed_on(self, day: date) -> bool:
        """Whether a dated closure is in force; opening hours are not asked."""
        return bool(self.closures) and any(first <= day.isoformat() <= last for first, last in self.closures)


Found = dict[str, Service]
Key = tuple[str, ...]


class Directory:
    """A snapshot of all services, with its version: by id, and by need with the area they serve."""

    def __init__(self, version: int, services: Iterable[Service], places: Mapping[str, Place]) -> None:
        self.version = version
        self.places = places
        self.services: Found = {}
        self._by: dict[Key, Found] = {}
        self._centres: dict[str, tuple[float, float] | None] = {}
        self._around: dict[tuple[str, str], list[str]] = {}
        self._own: set[Key] = set()
        self.services |= {service.id: service for service in services}
        for service in self.services.values():
            self._add(service)

    def changed(self, version: int, services: Iterable[Service]) -> "Directory":
        """The next snapshot: these services replaced or added. This one stays as it is; what is equal is shared."""
        made = Directory(version, (), self.places)
        made.services, made._by = dict(self.services), dict(self._by)
        made._centres = self._centres
        moved: set[str] = set()
        for service in services:
            before = made.services.get(service.id)
            if before is None or _place(before) != _place(service):
                moved |= {*service.domains, *(before.domains if before else ())}
            made._replace(before, service)
        made._around = {key: near for key, near in self._around.items() if key[0] not in moved}
        return made

    def _replace(self, before: Service | None, service: Service) -> None:
        if before is not None:
            for key in _keys(before):
                self._writable(key).pop(before.id, None)  # an area may be named twice
        self.services[service.id] = service
        self._add(service)

    def _add(self, service: Service) -> None:
        for key in _keys(service):
            self._writable(key)[service.id] = service

    def _writable(self, key: Key) -> Found:
        """The services under a key, copied before the first change: older snapshots share them."""
        if key not in self._own:
            self._by[key] = dict(self._by.get(key, ()))
            self._own.add(key)
        return self._by[key]

    def in_reach(self, domain: str, postal_code: str | None, county: str | None) -> Found:
        """The services of the need whose area holds the ZIP or the county, by id; found without looking at others."""
        return (
            self._by.get(("state", domain), {})
            | self._by.get(("county", domain, county or ""), {})
            | self._by.get(("zip", domain, postal_code or ""), {})
        )

    def needed(self, domain: str) -> Mapping[str, Service]:
        """Every service of the need, by id, wherever it helps."""
        return self._by.get(("need", domain), {})

    def of(self, domain: str, organization: str | None) -> Iterable[Service]:
        """One organization's services of the need, wherever they are."""
        return self._by.get(("of", domain, organization or ""), {}).values()

    def around(self, domain: str, postal_code: str | None) -> Iterator[Service]:
        """The services of the need nearest to a ZIP's region (its first three digits), at most NEAREST of them.

        By id where there is no position. Kept once computed: it follows from the snapshot alone.
        """
        region = (postal_code or "")[:3]
        if (domain, region) not in self._around:
            centre = self._centre(region)
            found = sorted(self.needed(domain).values(), key=lambda s: (roughly_apart(centre, s), s.id))
            self._around[domain, region] = [s.id for s in found[:NEAREST]]
        return map(self.services.__getitem__, self._around[domain, region])

    def _centre(self, region: str) -> tuple[float, float] | None:
        """The middle of a region's ZIPs."""
        if region not in self._centres:
            inside = [p for code, p in self.places.items() if region and code.startswith(region)]
            n = len(inside)
            self._centres[region] = (
                (sum(p.latitude for p in inside) / n, sum(p.longitude for p in inside) / n) if n else None
            )
        return self._centres[region]


def _keys(service: Service) -> Iterator[Key]:
    """Under what a service is found."""
    for domain in service.domains:
        yield ("need", domain)
        yield ("of", domain, service.organization)
        if service.statewide:
            yield ("state", domain)
            continue
        for county in service.counties:
            yield ("county", domain, county)
        for postal_code in service.postal_codes:
            yield ("zip", domain, postal_code)


def _place(service: Service) -> tuple[object, ...]:
    return (service.domains, service.latitude, service.longitude)


def roughly_apart(here: tuple[float, float] | None, service: Service) -> float:
    """Degrees squared, good enough to order by; without a position the farthest of all."""
    if here is None or service.latitude is None or service.longitude is None:
        return float("inf")
    return (here[0] - service.latitude) ** 2 + 0.64 * (here[1] - service.longitude) ** 2
