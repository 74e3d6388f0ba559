"""The directory as routing sees it: services by need domain, places by ZIP; frozen and versioned.

Comes in: rows already read. Goes out: look-ups. Must never read a file or a database itself.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from msgspec import Struct


class Place(NamedTuple):
    """A ZIP's centre (degrees) and county (lower case, no suffix)."""

    latitude: float
    longitude: float
    county: str


class Service(Struct, frozen=True, kw_only=True):
    """One service of one CBO, as far as the first cut of routing compares it.

    `closures` are [from, to] dates (ISO), both included; `counties` lower case without suffix.
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

    def closed_on(self, day: date) -> bool:
        """Whether a dated closure is in force; opening hours are not asked."""
        return any(first <= day.isoformat() <= last for first, last in self.closures)


class Directory:
    """A snapshot of all services, by id and by need domain, with its version."""

    def __init__(self, version: int, services: Iterable[Service], places: Mapping[str, Place]) -> None:
        self.version = version
        self.places = places
        self.services = {s.id: s for s in services}
        self.by_domain: dict[str, list[Service]] = {}
        for service in self.services.values():
            for domain in service.domains:
                self.by_domain.setdefault(domain, []).append(service)
