"""A canary in every text of a tenant's data: whoever is shown one of another's, not declared as shared, is a leak.

Comes in: the tenant and the object that a value belongs to. Goes out: values that say whose they are, and the canaries
found in a text. Every person here is invented.
"""

import hashlib
import re
from typing import Any, NamedTuple

SIGN = "cnry"
CANARY = re.compile(SIGN + r"\.([a-z0-9-]+)\.([a-z0-9-]+)\.([a-z0-9_-]+)", re.IGNORECASE)


class Canary(NamedTuple):
    """One value: whose it is, of which object, in which field."""

    tenant: str
    thing: str
    field: str


def text(tenant: str, thing: str, field: str) -> str:
    """A text that says whose it is; it survives JSON, HTML, CSV and URLs as it is."""
    return f"{SIGN}.{tenant}.{thing}.{field}"


class Canaries:
    """The values of one world; those that cannot be free text (dates, telephones, ZIP) are kept beside it."""

    def __init__(self) -> None:
        self._odd: dict[str, Canary] = {}
        self._pattern: re.Pattern[str] | None = None

    def phone(self, tenant: str, thing: str, field: str) -> str:
        """A telephone number of nobody that no other field has."""
        return self._kept(f"+1510555{self._number(tenant, thing, field):04d}", tenant, thing, field)

    def date(self, tenant: str, thing: str, field: str) -> str:
        """A date of birth that no other object has."""
        number = self._number(tenant, thing, field)
        year, month, day = 1930 + number // 336, 1 + number // 28 % 12, 1 + number % 28
        return self._kept(f"{year}-{month:02d}-{day:02d}", tenant, thing, field)

    def found(self, said: str) -> set[Canary]:
        """Every canary in a text."""
        if self._pattern is None:
            self._pattern = re.compile("|".join(map(re.escape, sorted(self._odd))) or r"(?!)")
        odd = {self._odd[value] for value in self._pattern.findall(said)}
        return odd | {Canary(*(part.lower() for part in match)) for match in CANARY.findall(said)}

    def _kept(self, value: str, tenant: str, thing: str, field: str) -> str:
        assert self._odd.setdefault(value, Canary(tenant, thing, field)) == (tenant, thing, field), value
        self._pattern = None
        return value

    def _number(self, *name: str) -> int:
        return int.from_bytes(hashlib.sha256(".".join(name).encode()).digest()[:4], "big") % 10_000

    def submission(self, tenant: str, thing: str, payer: str, **changes: Any) -> dict[str, Any]:
        """A whole submission with a canary in every field that can hold one."""

        def said(field: str) -> str:
            return text(tenant, thing, field)

        person = {
            "person_id": said("person_id"),
            "given_name": said("given_name"),
            "family_name": said("family_name"),
            "birth_date": self.date(tenant, thing, "birth_date"),
            "gender": said("gender"),
            "phone": self.phone(tenant, thing, "phone"),
            "email": f"{said('email')}@example.org",
            "address": {"line": said("line"), "city": said("city"), "state": "CA", "postal_code": "94607"},
            "spoken_language": "es",
            "race_ethnicity": [{"system": "x", "code": said("race"), "display": said("race")}],
            "race_ethnicity_source": said("race"),
            "accessibility": [said("accessibility")],
            "attributes": [{"system": "x", "code": said("attribute"), "value": said("attribute")}],
            "contact": {
                "alternate": {
                    "name": said("alternate"),
                    "relationship": said("alternate"),
                    "phone": self.phone(tenant, thing, "alternate"),
                },
                "phones": [{"number": self.phone(tenant, thing, "phones"), "safe": True}],
                "best_times": said("best_times"),
            },
        }
        made: dict[str, Any] = {
            "sender_referral_id": said("own_id"),
            "case_id": said("case_id"),
            "referrer": {n: said("referrer") for n in ("name", "role", "email", "site")},
            "person": person,
            "related_person": {n: said("related") for n in ("relationship", "name", "language")},
            "need": {
                "domain": "food-insecurity",
                "programme": said("programme"),
                "code": {"system": "x", "code": said("need_code"), "display": said("need_code")},
                "note": said("need_note"),
            },
            "coverage": {"payer": payer, "member_id": said("member_id")},
            "routing": "preferred-only",
            "consent": {
                "id": said("consent_id"),
                "status": "active",
                "method": said("consent"),
                "granted_by": {"relationship": said("consent"), "name": said("consent")},
                "discloser": said("consent"),
            },
        }
        return made | changes
