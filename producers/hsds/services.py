"""One HSDS service with its organization -> what routing compares, and the record itself cleaned.

Comes in: one record of documents.py. Goes out: an Imported, or None with a problem noted.
Must never load a service that could be taken for another organization's.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from msgspec import Struct, structs

from producers.hsds import places, shapes
from producers.hsds.limits import limits
from producers.hsds.report import Where
from producers.languages import two_letters
from referrals import words
from referrals.directory import Service

IDENTIFIER_TYPE = "refex"
OWN = ("services", "locations", "programs")
"""What of an organization is not repeated beside each of its services."""
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_UNSENDABLE = re.compile("[\x00\ud800-\udfff]")


class Imported(Struct, frozen=True):
    """A service as routing sees it, whose it is, its HSDS record whole, and its id there."""

    service: Service
    organization_name: str
    body: dict[str, Any]
    source_id: str


def imported(where: Where, row: dict[str, Any], organization: dict[str, Any]) -> Imported | None:
    """The service of a record; None when it lacks an id, a name or an organization."""
    body, owner = _clean(row), _clean({k: v for k, v in organization.items() if k not in OWN})
    name, id = _text(body, "name"), _text(body, "id")
    owner_name, slug = _text(owner, "name"), organization_id(owner)
    for field, value, advice in (
        ("id", id, "give the service its HSDS id"),
        ("name", name, "give the service a name"),
        ("organization", owner_name and slug, "nest the organization with its name, or list it with this id"),
    ):
        if not value:
            where.said(field, "missing, or not a text", advice)
    if not (id and name and owner_name and slug):
        return None
    latitude, longitude = _position(body)
    area = _area(where, body)
    service = Service(
        id=service_id(slug, id),
        organization=slug,
        name=name,
        domains=_domains(where, body),
        languages=_languages(where, body),
        postal_codes=area.postal_codes,
        counties=area.counties,
        statewide=area.statewide,
        latitude=latitude,
        longitude=longitude,
        active=body.get("status") == "active",
        **limits(where, body),
    )
    if service.id != id.lower():
        body["source_id"] = id
    body |= {"id": service.id, "organization": _named(owner, slug)}
    return Imported(service, owner_name, body, id)


def organization_id(organization: dict[str, Any]) -> str | None:
    """Our id of an organization: its identifier of type `refex`, else its name as a slug."""
    for identifier in _objects(organization, "organization_identifiers"):
        given = _text(identifier, "identifier")
        if identifier.get("identifier_type") == IDENTIFIER_TYPE and given and _SLUG.fullmatch(given):
            return given
    plain = (
        unicodedata.normalize("NFKD", _text(organization, "name") or "").encode("ascii", "ignore").decode()
    )
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower().replace("'", "")).strip("-")[:80].strip("-")
    return slug or None


def service_id(organization: str, given: str) -> str:
    """The service's own UUID in lower case; an id of another form becomes one, the same every time."""
    try:
        return str(UUID(given))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, f"urn:refex:{organization}:service:{given}"))


def _domains(where: Where, body: dict[str, Any]) -> tuple[str, ...]:
    """Need domains by the reviewed taxonomy; a term is known by its code or by its name."""
    terms = [_object(a, "taxonomy_term") for a in _objects(body, "attributes")]
    said = [text for t in terms for field in ("code", "name") if (text := _text(t, field))]
    found = {_taxonomy()[s.lower()] for s in said if s.lower() in _taxonomy()}
    if found:
        _unknown_terms(where, terms)
    else:
        names = ", ".join(sorted(set(said))[:10]) or "none"
        where.said(
            "attributes",
            f"no taxonomy term maps to a need domain (terms: {names})",
            "add a known term or an SDOHCC category code; until then nothing is routed here",
        )
    return tuple(sorted(found))


def _unknown_terms(where: Where, terms: list[dict[str, Any]]) -> None:
    """Say each term that the reviewed map does not have once, where it was met first."""
    for term in terms:
        names = [text for field in ("code", "name") if (text := _text(term, field))]
        if not names or any(name.lower() in _taxonomy() for name in names):
            continue
        label = " ".join(reversed(names))[:100]
        if label not in where.report.terms:
            where.report.terms.add(label)
            where.said(
                "attributes.taxonomy_term",
                f"warning: the term {label!r} maps to no need domain; said once",
                "add it to the reviewed taxonomy if it is a need",
            )


@cache
def _taxonomy() -> dict[str, str]:
    terms = {term: domain for domain, names in words.table("taxonomy")["domains"].items() for term in names}
    return terms | {domain: domain for domain in words.table("domains")}


def _languages(where: Where, body: dict[str, Any]) -> tuple[str, ...]:
    found = set()
    for language in _objects(body, "languages"):
        code = two_letters(_text(language, "code")) or two_letters(_text(language, "name"))
        if code:
            found.add(code)
        else:
            where.said("languages", "an unknown language", "give its ISO 639-1 code")
    return tuple(sorted(found))


def _area(where: Where, body: dict[str, Any]) -> places.Area:
    rows = [*_objects(body, "service_areas")]
    rows += [a for at in _objects(body, "service_at_locations") for a in _objects(at, "service_areas")]
    texts: list[str] = []
    shapes_given = [row.get("extent") for row in rows if _text(row, "extent_type") == "geojson"]
    drawn = {code for extent in shapes_given for code in _drawn(where, extent)}
    for row in rows:
        if _text(row, "extent_type") in (None, "text") and (extent := _text(row, "extent")):
            texts.append(extent)
        texts += [text for text in (_text(row, "name"),) if text]
    area = places.area(texts)
    area = structs.replace(area, postal_codes=tuple(sorted({*area.postal_codes, *drawn})))
    if not area and not shapes_given:
        where.said(
            "service_areas",
            "no ZIP, county or state was found in words",
            "add a service area with extent_type text that names ZIPs, counties or statewide",
        )
    return area


def _drawn(where: Where, extent: Any) -> tuple[str, ...]:
    try:
        return shapes.postal_codes(extent)
    except shapes.NoArea as wrong:
        where.said("service_areas", str(wrong), wrong.advice)
        return ()


def _position(body: dict[str, Any]) -> tuple[float | None, float | None]:
    for location in (_object(at, "location") for at in _objects(body, "service_at_locations")):
        latitude, longitude = _number(location.get("latitude")), _number(location.get("longitude"))
        if latitude is not None and longitude is not None:
            return latitude, longitude
    return None, None


def _named(organization: dict[str, Any], slug: str) -> dict[str, Any]:
    """The organization beside its service, with our id among its identifiers."""
    given = _objects(organization, "organization_identifiers")
    ids = [i for i in given if i.get("identifier_type") != IDENTIFIER_TYPE]
    ours = {"identifier_type": IDENTIFIER_TYPE, "identifier": slug}
    return organization | {"organization_identifiers": [*ids, ours]}


def _clean(value: Any) -> Any:
    """The same JSON without what Postgres and UTF-8 cannot hold; depth was bounded by documents.py."""
    if isinstance(value, str):
        return value if value.isascii() and "\x00" not in value else _UNSENDABLE.sub("", value)
    if isinstance(value, dict):
        return {_clean(k): _clean(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_clean(v) for v in value]
    return value


def _text(row: dict[str, Any], field: str) -> str | None:
    value = row.get(field)
    return value.strip() or None if isinstance(value, str) else None


def _object(row: dict[str, Any], field: str) -> dict[str, Any]:
    value = row.get(field)
    return value if isinstance(value, dict) else {}


def _objects(row: dict[str, Any], field: str) -> Iterator[dict[str, Any]]:
    value = row.get(field)
    return iter([v for v in value if isinstance(v, dict)] if isinstance(value, list) else [])


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
