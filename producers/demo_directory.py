"""The demo directory: fictional community organizations of three Californian counties, as HSDS 3.0 JSON.

Comes in: the compact table producers/demo/directory_table.json. Goes out: organizations with their services,
the same bytes every time. Must never name a real organization, nor state a numeric capacity.
"""

import json
from importlib import resources
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from producers.hsds import Result, places, read
from referrals import words

LANGUAGES = {"en": "English", "es": "Spanish", "zh": "Chinese", "vi": "Vietnamese"}
# What a service of each domain is called, and does, in one sentence.
SERVICES = {
    "food-insecurity": ("Groceries and meals", "Free groceries, hot meals and help with CalFresh forms."),
    "housing-instability": ("Housing navigation", "Help to find a home, keep it and talk to a landlord."),
    "homelessness": ("Shelter and outreach", "A bed for tonight and a plan for the weeks after."),
    "inadequate-housing": ("Home repair", "Repairs, mold removal and safety changes at home."),
    "transportation-insecurity": ("Rides", "Rides and bus passes to care, work and food."),
    "utility-insecurity": ("Utility bill help", "Help with energy and water bills before a shut-off."),
    "financial-insecurity": ("Money coaching", "Budgets, benefits and free tax preparation."),
    "employment-status": ("Job search help", "Training, applications and introductions to employers."),
    "social-connection": ("Company and community", "Friendly visits, calls and shared meals."),
    "intimate-partner-violence": ("Safety planning", "Confidential advocates and a safe place to stay."),
    "digital-access": ("Internet and devices", "Low-cost internet and refurbished computers."),
    "medical-cost-burden": ("Medical bill help", "Advocates who lower or cancel medical bills."),
}


def table() -> list[dict[str, Any]]:
    """The organizations as the table has them: id, name, zip, counties, domains, languages."""
    text = resources.files("producers").joinpath("demo", "directory_table.json").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


def documents() -> list[dict[str, Any]]:
    """HSDS 3.0 organizations with services, locations, areas, languages and schedules."""
    return [_organization(row, number) for number, row in enumerate(table())]


def services() -> Result:
    """The demo directory as an import reads it."""
    return read([("demo_directory", documents())])


def _organization(row: dict[str, Any], number: int) -> dict[str, Any]:
    phone = {"id": _id(row, "phone"), "number": f"510-555-01{number:02}", "type": "voice"}
    return {
        "id": _id(row, "organization"),
        "name": row["name"],
        "description": f"{row['name']} is a fictional organization of the Referral Exchange demo.",
        "email": f"intake@{row['id']}.example.org",
        "website": f"https://{row['id']}.example.org",
        "phones": [phone],
        "organization_identifiers": [
            {"id": _id(row, "identifier"), "identifier_type": "refex", "identifier": row["id"]}
        ],
        "services": [_service(row, domain, phone) for domain in row["domains"]],
    }


def _service(row: dict[str, Any], domain: str, phone: dict[str, Any]) -> dict[str, Any]:
    name, description = SERVICES[domain]
    return {
        "id": _id(row, domain),
        "organization_id": _id(row, "organization"),
        "name": f"{name} - {row['name']}",
        "description": description,
        "status": "active",
        "email": f"intake@{row['id']}.example.org",
        "interpretation_services": "By telephone, on request",
        "fees_description": "Free",
        "eligibility_description": "Open to everybody in the service area",
        "phones": [phone],
        "languages": [
            {"id": _id(row, domain, "language", code), "code": code, "name": LANGUAGES[code]}
            for code in row["languages"]
        ],
        "schedules": [_schedule(row, domain)],
        "service_areas": [_area(row, domain, county) for county in row["counties"]],
        "service_at_locations": [{"id": _id(row, domain, "at"), "location": _location(row)}],
        "attributes": [_attribute(row, domain)],
    }


def _area(row: dict[str, Any], domain: str, county: str) -> dict[str, Any]:
    return {
        "id": _id(row, domain, "area", county),
        "name": f"{county.title()} County",
        "extent_type": "text",
        "extent": "ZIP codes " + ", ".join(places.counties()[county]),
    }


def _location(row: dict[str, Any]) -> dict[str, Any]:
    latitude, longitude = places.centre(row["zip"])
    address = {
        "id": _id(row, "address"),
        "address_1": f"{100 + len(row['name'])} Example Street",
        "city": places.city(row["zip"]),
        "state_province": places.STATE,
        "postal_code": row["zip"],
        "country": "US",
        "address_type": "physical",
    }
    return {
        "id": _id(row, "location"),
        "location_type": "physical",
        "latitude": latitude,
        "longitude": longitude,
        "addresses": [address],
    }


def _schedule(row: dict[str, Any], domain: str) -> dict[str, Any]:
    return {
        "id": _id(row, domain, "schedule"),
        "freq": "WEEKLY",
        "byday": "MO,TU,WE,TH,FR",
        "opens_at": "09:00",
        "closes_at": "17:00",
        "description": "Monday to Friday, 9 am to 5 pm",
    }


def _attribute(row: dict[str, Any], domain: str) -> dict[str, Any]:
    label = words.label("domains", domain)
    term = {"id": _id({"id": "taxonomy"}, domain), "code": domain, "name": label, "description": label}
    return {"id": _id(row, domain, "attribute"), "link_entity": "service", "taxonomy_term": term}


def _id(row: dict[str, Any], *parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, ":".join(("urn:refex:demo", str(row["id"]), *parts))))
