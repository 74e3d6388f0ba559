"""Synthetic people and their referrals: the same seed gives the same bytes, and no clock is read.

Comes in: a seed and the number of a referral. Goes out: submission JSON (interfaces.md), a FHIR Bundle of it
(people_bundle.py) or a row of a plan's CSV. Must never resemble a real person: names end in -Test.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from producers import csv_file, demo_directory
from producers.people_bundle import as_fhir_bundle

__all__ = ["Simulated", "as_csv_row", "as_fhir_bundle"]

PAYERS = ("golden-health-plan", "valley-care-plan")
PLACES = {
    "Alameda": (("94607", "Oakland"), ("94601", "Oakland"), ("94541", "Hayward"), ("94704", "Berkeley")),
    "Contra Costa": (
        ("94801", "Richmond"),
        ("94520", "Concord"),
        ("94509", "Antioch"),
        ("94565", "Pittsburg"),
    ),
    "Santa Clara": (
        ("95112", "San Jose"),
        ("95116", "San Jose"),
        ("95020", "Gilroy"),
        ("94086", "Sunnyvale"),
    ),
}
# Weights, not probabilities: how often a need comes up among a hundred.
NEEDS = {
    "food-insecurity": 30,
    "housing-instability": 13,
    "transportation-insecurity": 12,
    "utility-insecurity": 9,
    "financial-insecurity": 9,
    "employment-status": 6,
    "homelessness": 6,
    "social-connection": 5,
    "inadequate-housing": 4,
    "medical-cost-burden": 3,
    "digital-access": 2,
    "intimate-partner-violence": 1,
}
SNOMED = "http://snomed.info/sct"
CODES = {"food-insecurity": "710925007"}
OTHER_CODE = "308440001"
LANGUAGES = {"en": 58, "es": 27, "zh": 8, "vi": 7}
PRIORITIES = {"routine": 80, "urgent": 15, "asap": 4, "stat": 1}
CONSENTS = {"active": 93, "absent": 4, "refused": 3}
GENDERS = {"female": 52, "male": 44, "other": 3, "unknown": 1}
# fmt: off
GIVEN = (
    "Ana", "Ben", "Carmen", "Duc", "Elena", "Farid", "Grace", "Hung", "Iris", "Jorge",
    "Kim", "Luz", "Mei", "Nam", "Olga", "Pablo", "Quyen", "Rosa", "Sam", "Thu",
)
FAMILY = (
    "Alder", "Brook", "Cedar", "Dale", "Elm", "Fern", "Grove", "Hazel", "Iris", "Juniper",
    "Lake", "Maple", "North", "Oak", "Pine", "Reed", "Stone",
)
# fmt: on
NOTES = (
    "Prefers a call in the afternoon.",
    "Two children at home.",
    "Has asked before and was told to wait.",
    "Prefiere llamadas en español.",
)
RACE_SYSTEM = "urn:oid:2.16.840.1.113883.6.238"
RACES = ("2106-3", "2054-5", "2028-9", "1002-5", "2076-8")
ETHNICITIES = ("2135-2", "2186-5")
LONGEST_AGO = date(1936, 1, 1)
BIRTH_DAYS = 27_000


class Simulated:
    """Referrals by number; `start`, when given, dates the first one, and each next is a minute later."""

    def __init__(self, seed: int, start: datetime | None = None, payers: Sequence[str] = PAYERS) -> None:
        self.seed = seed
        self.start = start
        self.payers = tuple(payers)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Referrals without end."""
        number = 0
        while True:
            yield self.submission(number)
            number += 1

    def submission(self, number: int) -> dict[str, Any]:
        """The referral of this number, whatever was asked for before; one in ten is for a person seen before."""
        rng = Random(f"{self.seed}:referral:{number}")
        domain = _weighted(rng, NEEDS)
        who = rng.randrange(number) if number and rng.random() < 0.1 else number
        person, place = self._person(who)
        made: dict[str, Any] = {
            "sender_referral_id": f"SIM-{self.seed}-{number:06}",
            "person": person,
            "need": self._need(rng, domain),
            "priority": _weighted(rng, PRIORITIES),
            "consent": self._consent(rng, number),
        }
        if "address" not in person:
            made["service_area"] = place
        if self.start is not None:
            made["requested_at"] = self._moment(number)
        return made | self._sometimes(rng, domain, who)

    def _person(self, who: int) -> tuple[dict[str, Any], dict[str, Any]]:
        rng = Random(f"{self.seed}:person:{who}")
        county = rng.choice(sorted(PLACES))
        postal_code, city = rng.choice(PLACES[county])
        given, family = rng.choice(GIVEN), f"{rng.choice(FAMILY)}-Test"
        person: dict[str, Any] = {
            "person_id": f"SIM-P-{self.seed}-{who:06}",
            "given_name": given,
            "family_name": family,
            "birth_date": (LONGEST_AGO + timedelta(days=rng.randrange(BIRTH_DAYS))).isoformat(),
            "gender": _weighted(rng, GENDERS),
            "spoken_language": _weighted(rng, LANGUAGES),
        }
        if person["spoken_language"] != "en":
            person["interpreter_needed"] = rng.random() < 0.7
        if rng.random() < 0.95:
            person["phone"] = f"{rng.choice(('510', '925', '408'))}-555-01{rng.randrange(100):02}"
        if rng.random() < 0.4:
            person["email"] = f"{given}.{family}.{who}@example.org".lower()
        if rng.random() < 0.9:
            line = f"{rng.randrange(1, 9999)} Sample Street"
            person["address"] = {
                "line": line,
                "city": city,
                "county": county,
                "state": "CA",
                "postal_code": postal_code,
            }
        if rng.random() < 0.6:
            codes = (rng.choice(RACES), rng.choice(ETHNICITIES))
            person["race_ethnicity"] = [{"system": RACE_SYSTEM, "code": code} for code in codes]
        if rng.random() < 0.3:
            person["household"] = {"size": rng.randrange(1, 7), "children": rng.randrange(4)}
        if rng.random() < 0.1:
            name = f"{rng.choice(GIVEN)} {family}"
            person["contact"] = {
                "alternate": {"name": name, "relationship": "sibling", "phone": "510-555-0199"}
            }
        return person, {"postal_code": postal_code, "county": county}

    def _need(self, rng: Random, domain: str) -> dict[str, Any]:
        need: dict[str, Any] = {
            "domain": domain,
            "code": {"system": SNOMED, "code": CODES.get(domain, OTHER_CODE)},
        }
        return need | ({"note": rng.choice(NOTES)} if rng.random() < 0.25 else {})

    def _consent(self, rng: Random, number: int) -> dict[str, Any]:
        status = _weighted(rng, CONSENTS)
        if status == "absent":
            return {"status": status}
        consent = {
            "status": status,
            "id": f"SIM-C-{self.seed}-{number:06}",
            "granted_by": {"relationship": "self"},
        }
        return consent | ({"date": self._moment(number)[:10]} if self.start is not None else {})

    def _sometimes(self, rng: Random, domain: str, who: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if rng.random() < 0.7 and self.payers:
            payer = self.payers[who % len(self.payers)]
            made["coverage"] = {"payer": payer, "member_id": f"M{self.seed:04}{who:06}"}
        if rng.random() < 0.5:
            made["referrer"] = {
                "name": f"{rng.choice(GIVEN)} Clinician-Test",
                "role": "social worker",
                "phone": "510-555-0150",
                "email": "desk@clinic.example.org",
                "npi": "1234567893",
                "site": "Riverside Clinic",
            }
        if rng.random() < 0.03:
            serving = [row["id"] for row in demo_directory.table() if domain in row["domains"]]
            made["preferred_organization"] = rng.choice(serving)
        if rng.random() < 0.02:
            made["sensitivity"] = ["behavioral-health"]
        return made

    def _moment(self, number: int) -> str:
        assert self.start is not None
        return (self.start + timedelta(minutes=number)).isoformat().replace("+00:00", "Z")


def as_csv_row(submission: dict[str, Any]) -> dict[str, str]:
    """The submission as a row of a plan's CSV: every column of csv_file.COLUMNS, empty where it says nothing."""
    row = {}
    for column, place in csv_file.COLUMNS.items():
        value: Any = submission
        for part in place.removesuffix("[]").split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        row[column] = ";".join(value) if isinstance(value, list) else str(value or "")
    return row


def _weighted(rng: Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
