"""A Patient, and a RelatedPerson beside it, -> the person part of a submission.

Comes in: resources of one Graph and the day. Goes out: plain dicts in the words of referrals/submission.py.
Must never take a name, phone or address that is over, nor invent one.
"""

from datetime import datetime
from typing import Any

from producers.fhir.bundle import Graph, Resource, tail
from producers.fhir.reading import Issues, Node, coded, filled, wording
from producers.languages import two_letters
from referrals.check import parse_time

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
RACE_ETHNICITY = (f"{US_CORE}us-core-race", f"{US_CORE}us-core-ethnicity")
INTERPRETER_FLAG = "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired"
INTERPRETER_CODING = f"{US_CORE}us-core-interpreter-needed"
INTERPRETER_CODES = {"373066001": True, "373067005": False}
GONE = {"old"}
# What to prefer among several: the lower the better, unlisted ones last.
NAME_USES = {"official": 0, "usual": 1, None: 2}
PHONE_USES = {"mobile": 0, "home": 1, None: 2}
ADDRESS_USES = {"home": 0, "temp": 1, None: 2}


def person(patient: Resource, now: datetime) -> dict[str, Any]:
    """The person of a submission; what is missing is left for `check` to say."""
    name = _best(patient.children("name"), NAME_USES, now)
    phones = telecoms(patient, "phone", now)
    made = {
        "person_id": first_identifier(patient) or patient.id,
        "given_name": " ".join(name.texts("given")) or None,
        "family_name": name.text("family"),
        "birth_date": patient.text("birthDate"),
        "gender": patient.text("gender"),
        "phone": phones[0] if phones else None,
        "email": next(iter(telecoms(patient, "email", now)), None),
        "address": address(_best(patient.children("address"), ADDRESS_USES, now)),
        "spoken_language": _language(patient),
        "interpreter_needed": _interpreter(patient),
        "race_ethnicity": _race_ethnicity(patient),
        "contact": filled(
            {"alternate": _alternate(patient, now), "phones": [{"number": n} for n in phones[1:]]}
        ),
    }
    return filled(made) or {}


def related_person(found: Resource, now: datetime) -> dict[str, Any] | None:
    """Who speaks for the person; only what the RelatedPerson itself says."""
    return filled(
        {
            "relationship": wording(found, "relationship"),
            "name": full_name(_best(found.children("name"), NAME_USES, now)),
            "phone": next(iter(telecoms(found, "phone", now)), None),
            "language": _language(found),
        }
    )


def first_identifier(resource: Node) -> str | None:
    """The first identifier that has a value."""
    return next((v for i in resource.children("identifier") if (v := i.text("value"))), None)


def names_of(graph: Graph, owner: Resource, reference: Node) -> list[str]:
    """Every id an Organization reference may be known by: its resource's ids, its own, its last part."""
    found = graph.find(owner, reference)
    names = [i.text("value") for i in found.children("identifier")] if found else []
    names += [found.id] if found else []
    target = reference.text("reference")
    names += [reference.child("identifier").text("value"), tail(target) if target else None]
    return [name for name in names if name]


def telecoms(resource: Node, system: str, now: datetime) -> list[str]:
    """Current phone numbers or e-mail addresses, best first."""
    points = [t for t in resource.children("telecom") if t.text("system") == system and _current(t, now)]
    points.sort(key=lambda t: PHONE_USES.get(t.text("use"), 9))
    return [value for t in points if (value := t.text("value"))]


def address(node: Node) -> dict[str, Any] | None:
    return filled(
        {
            "line": ", ".join(node.texts("line")) or None,
            "city": node.text("city"),
            "county": node.text("district"),
            "state": node.text("state"),
            "postal_code": node.text("postalCode"),
        }
    )


def full_name(name: Node) -> str | None:
    """A name as one text: as given, else given names and family name."""
    return name.text("text") or " ".join([*name.texts("given"), name.text("family") or ""]).strip() or None


def _best(nodes: list[Node], uses: dict[str | None, int], now: datetime) -> Node:
    current = [n for n in nodes if _current(n, now)]
    return min(current, key=lambda n: uses.get(n.text("use"), 9), default=Node({}, "", Issues()))


def _current(node: Node, now: datetime) -> bool:
    end = parse_time(node.child("period").text("end") or "")
    return node.text("use") not in GONE and (end is None or end.date() >= now.date())


def _language(resource: Node) -> str | None:
    spoken = resource.children("communication")
    preferred = [c for c in spoken if c.flag("preferred")] or spoken[:1]
    for communication in preferred:
        tags = [c.text("code") for c in coded(communication, "language")]
        for tag in [*tags, communication.child("language").text("text")]:
            if tag:
                return two_letters(tag) or tag
    return None


def _interpreter(patient: Resource) -> bool | None:
    for extension in patient.children("extension"):
        if extension.text("url") == INTERPRETER_FLAG:
            return extension.flag("valueBoolean")
        if extension.text("url") == INTERPRETER_CODING:
            return INTERPRETER_CODES.get(extension.child("valueCoding").text("code") or "")
    return None


def _race_ethnicity(patient: Resource) -> list[dict[str, Any]]:
    extensions = [e for e in patient.children("extension") if e.text("url") in RACE_ETHNICITY]
    parts = [p.child("valueCoding") for e in extensions for p in e.children("extension")]
    return [c for p in parts if (c := filled({"system": p.text("system"), "code": p.text("code")}))]


def _alternate(patient: Resource, now: datetime) -> dict[str, Any] | None:
    for contact in patient.children("contact"):
        found = filled(
            {
                "name": full_name(contact.child("name")),
                "relationship": wording(contact, "relationship"),
                "phone": next(iter(telecoms(contact, "phone", now)), None),
            }
        )
        if found:
            return found
    return None
