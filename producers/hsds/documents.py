"""HSDS 3.0/3.1 nested JSON in any of its wrappers -> service records, each with its organization.

Comes in: decoded JSON (organizations with services, full services, lists, pages with `contents`).
Goes out: (Where, service, organization) in order. Must never fail on a wrong type: it is a problem of its row.
"""

from collections.abc import Iterator
from typing import Any

from producers.hsds.nested import nested
from producers.hsds.report import Report, Where
from producers.hsds.services import organization_id

MAX_DEPTH = 32
LISTS = ("contents", "organizations", "services", "items")
SERVICE_FIELDS = {"status", "organization", "organization_id", "service_at_locations", "service"}
Record = tuple[Where, dict[str, Any], dict[str, Any]]


def records(file: str, document: Any, report: Report) -> Iterator[Record]:
    """Every service of a document; services that name an organization by id find it in the same document."""
    rows = [
        (where, True, _checked("organization", row, where)) if _is_organization(row) else (where, False, row)
        for where, row in _rows(file, document, report)
    ]
    organizations = {row["id"]: row for _, is_one, row in rows if is_one and isinstance(row.get("id"), str)}
    for where, is_organization, row in rows:
        if is_organization:
            report.read["organization"] += 1
            if isinstance(row.get("services"), list) and (slug := organization_id(row)):
                report.listing.organizations.add(slug)
            yield from _services_of(where, row, report)
        else:
            service = _at_its_location(row)
            report.read["service"] += 1
            report.listing.service(service)
            owner = _organization_of(where, service, organizations)
            yield where, _checked("service", service, where), owner


def _checked(table: str, row: dict[str, Any], where: Where) -> dict[str, Any]:
    return nested(table, row, where) or {}


def _services_of(where: Where, organization: dict[str, Any], report: Report) -> Iterator[Record]:
    services = organization.get("services")
    if services is None:
        return
    if not isinstance(services, list):
        where.said("services", "not an array", "send the services as an array")
        return
    for service in services:
        report.read["service"] += 1
        report.listing.service(service)
        if isinstance(service, dict):
            yield where, _checked("service", service, where), organization
        else:
            where.said("services", "a service is not an object", "send each service as an object")


def _at_its_location(row: dict[str, Any]) -> dict[str, Any]:
    """A service_at_location turned round: its service, with this one place."""
    service = row.get("service")
    if not isinstance(service, dict):
        return row
    return service | {"service_at_locations": [{k: v for k, v in row.items() if k != "service"}]}


def _organization_of(
    where: Where, service: dict[str, Any], organizations: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    inside = service.get("organization")
    if isinstance(inside, dict):
        return _checked("organization", inside, where.inside("organization."))
    key = service.get("organization_id")
    return organizations.get(key, {}) if isinstance(key, str) else {}


def _rows(file: str, document: Any, report: Report) -> Iterator[tuple[Where, dict[str, Any]]]:
    for number, row in enumerate(_flat(document), 1):
        where = Where(report, file, number)
        if not isinstance(row, dict):
            where.said("", "not an object", "send organizations or services as objects")
        elif _too_deep(row):
            where.said("", f"nested more than {MAX_DEPTH} levels deep", "send a flatter record")
        else:
            yield where, row


def _flat(document: Any) -> Iterator[Any]:
    if isinstance(document, list):
        yield from document
    elif isinstance(document, dict) and not isinstance(document.get("name"), str):
        wrapped = [document[key] for key in LISTS if isinstance(document.get(key), list)]
        if not wrapped:
            yield document
        for found in wrapped:
            yield from found
    else:
        yield document


def _is_organization(row: dict[str, Any]) -> bool:
    """A service has a status or says whose it is; an organization has neither."""
    if isinstance(row.get("services"), list) or "organization_identifiers" in row:
        return True
    return not SERVICE_FIELDS & row.keys()


def _too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        ]
    return any(isinstance(item, dict | list) for item in level)
