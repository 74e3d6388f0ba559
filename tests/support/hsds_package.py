"""A small whole HSDS package as tables and as its nested JSON twin, and how to write one as CSVs."""

import csv
import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Tables = dict[str, list[Json]]

TABLES: Tables = {
    "organizations.csv": [
        {"id": "o1", "name": "Harvest Pantry", "description": "Food.", "website": "https://h.example"},
        {"id": "o2", "name": "Open Door", "description": "Beds.", "parent_organization_id": "o1"},
    ],
    "organization_identifiers.csv": [
        {"id": "i1", "organization_id": "o1", "identifier_type": "EIN", "identifier": "94-1"}
    ],
    "programs.csv": [{"id": "p1", "organization_id": "o1", "name": "Meals", "description": "Hot."}],
    "services.csv": [
        {
            "id": "s1", "organization_id": "o1", "program_id": "p1", "name": "Groceries", "status": "active",
            "minimum_age": 18, "maximum_age": 64, "assured_date": "2026-01-02", "email": "a@h.example",
            "description": "Free, every day.\nBring \"bags\".", "last_modified": "2026-01-02T03:04:05Z",
        },
        {"id": "s2", "organization_id": "o2", "name": "Camas para niños", "status": "inactive"},
    ],
    "locations.csv": [
        {
            "id": "l1", "organization_id": "o1", "location_type": "physical", "name": "Hall",
            "latitude": 37.8, "longitude": -122.25,
        }
    ],
    "service_at_location.csv": [{"id": "a1", "service_id": "s1", "location_id": "l1", "description": "Door B"}],
    "addresses.csv": [
        {
            "id": "d1", "location_id": "l1", "address_1": "1 Main St", "city": "Oakland",
            "state_province": "CA", "postal_code": "94607", "country": "US", "address_type": "physical",
        }
    ],
    "contacts.csv": [{"id": "c1", "service_at_location_id": "a1", "name": "Ana", "email": "ana@h.example"}],
    "phones.csv": [
        {"id": "t1", "service_id": "s1", "location_id": "l1", "number": "510-555-0100", "extension": 7},
        {"id": "t2", "contact_id": "c1", "number": "510-555-0101"},
    ],
    "schedules.csv": [
        {"id": "h1", "service_id": "s1", "freq": "WEEKLY", "byday": "MO,TU", "opens_at": "09:00", "closes_at": "17:00"}
    ],
    "languages.csv": [
        {"id": "g1", "service_id": "s1", "code": "es"},
        {"id": "g2", "phone_id": "t1", "name": "English", "code": "en"},
    ],
    "service_areas.csv": [
        {"id": "r1", "service_id": "s1", "name": "Alameda County", "extent": "94607", "extent_type": "text"},
        {"id": "r2", "service_id": "s2", "name": "Statewide"},
    ],
    "accessibility.csv": [{"id": "b1", "location_id": "l1", "description": "Ramp"}],
    "cost_options.csv": [{"id": "k1", "service_id": "s1", "option": "Free", "amount": 0, "currency": "usd"}],
    "required_documents.csv": [{"id": "q1", "service_id": "s1", "document": "None"}],
    "funding.csv": [{"id": "f1", "service_id": "s1", "source": "County"}],
    "units.csv": [{"id": "u1", "name": "boxes"}],
    "service_capacity.csv": [
        {
            "id": "y1", "service_id": "s1", "unit_id": "u1", "available": 5, "maximum": 10,
            "updated": "2026-01-02T03:04:05Z",
        }
    ],
    "urls.csv": [{"id": "w1", "organization_id": "o1", "label": "News", "url": "https://n.example"}],
    "taxonomies.csv": [{"id": "x1", "name": "Ours", "description": "Ours."}],
    "taxonomy_terms.csv": [
        {"id": "m1", "name": "Food Pantry", "description": "Food.", "taxonomy_id": "x1"},
        {"id": "m2", "name": "Shelter", "description": "Beds.", "parent_id": "m1"},
    ],
    "attributes.csv": [
        {"id": "n1", "link_id": "s1", "link_entity": "service", "taxonomy_term_id": "m1"},
        {"id": "n2", "link_id": "s2", "link_entity": "services", "taxonomy_term_id": "m2"},
    ],
    "metadata.csv": [
        {
            "id": "e1", "resource_id": "s1", "resource_type": "service", "last_action_date": "2026-01-02",
            "last_action_type": "update", "field_name": "name", "updated_by": "Ana",
        }
    ],
    "meta_table_descriptions.csv": [{"id": "v1", "name": "services", "language": "en"}],
}  # fmt: skip


def _one(file: str, *without: str, at: int = 0) -> Json:
    return {key: value for key, value in TABLES[file][at].items() if key not in without}


def _phone() -> Json:
    return _one("phones.csv", "service_id", "location_id") | {
        "languages": [_one("languages.csv", "phone_id", at=1)]
    }


def _at_its_place() -> Json:
    place = _one("locations.csv", "organization_id") | {
        "addresses": [_one("addresses.csv", "location_id")],
        "phones": [_phone()],
        "accessibility": [_one("accessibility.csv", "location_id")],
    }
    contact = _one("contacts.csv", "service_at_location_id") | {
        "phones": [_one("phones.csv", "contact_id", at=1)]
    }
    return _one("service_at_location.csv", "service_id", "location_id") | {
        "location": place,
        "contacts": [contact],
    }


def _groceries(attributes: list[Json]) -> Json:
    return _one("services.csv", "organization_id", "program_id") | {
        "program": _one("programs.csv", "organization_id"),
        "service_at_locations": [_at_its_place()],
        "phones": [_phone()],
        "schedules": [_one("schedules.csv", "service_id")],
        "languages": [_one("languages.csv", "service_id")],
        "service_areas": [_one("service_areas.csv", "service_id")],
        "cost_options": [_one("cost_options.csv", "service_id")],
        "required_documents": [_one("required_documents.csv", "service_id")],
        "funding": [_one("funding.csv", "service_id")],
        "capacities": [_one("service_capacity.csv", "service_id", "unit_id") | {"unit": _one("units.csv")}],
        "attributes": attributes,
        "metadata": [_one("metadata.csv", "resource_id")],
    }


def twin() -> list[Json]:
    """What TABLES say, as nested JSON."""
    terms = [
        _one("taxonomy_terms.csv", "taxonomy_id") | {"taxonomy_detail": _one("taxonomies.csv")},
        _one("taxonomy_terms.csv", at=1),
    ]
    attributes = [
        _one("attributes.csv", "link_id", "taxonomy_term_id", at=n) | {"taxonomy_term": t}
        for n, t in enumerate(terms)
    ]
    beds = _one("services.csv", "organization_id", at=1) | {
        "service_areas": [_one("service_areas.csv", "service_id", at=1)],
        "attributes": attributes[1:],
    }
    harvest = _one("organizations.csv") | {
        "organization_identifiers": [_one("organization_identifiers.csv", "organization_id")],
        "additional_websites": [_one("urls.csv", "organization_id")],
        "services": [_groceries(attributes[:1])],
    }
    return [harvest, _one("organizations.csv", at=1) | {"services": [beds]}]


def write(folder: Path, tables: Tables) -> Path:
    """The tables as CSV files with a datapackage.json that lists them."""
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    resources = [{"name": name.removesuffix(".csv"), "path": name} for name in tables]
    (folder / "datapackage.json").write_text(json.dumps({"resources": resources}), encoding="utf-8")
    return folder
