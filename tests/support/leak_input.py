"""What is wrongly said of a planted identity: bodies and records that are refused, each with the person in it."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from avro_schemas import codec
from producers.envelope import Said, seal, submitted
from producers.people_bundle import as_fhir_bundle
from referrals import check, ids
from tests.support.identities import Identity

CLINIC, PLAN = "riverside-clinic", "golden-health-plan"


def bad_bodies(who: Identity) -> list[tuple[str, bytes]]:
    """Paths and bodies that are refused, each with the person in it."""
    good = who.submission(f"BAD-{who.number}", PLAN)
    person = good["person"]
    wrong: list[Any] = [
        good | {"priority": who.family_name, "routing": who.email},
        good | {"person": person | {"birth_date": who.note}},
        good | {"person": person | {"given_name": [who.given_name], "phone": {"number": who.phone}}},
        good | {"person": who.email},
        good | {"person": person | {who.family_name: "\x00"}},
        good | {"need": {"domain": who.note}},
        good | {"consent": {"status": who.member_id}},
        good | {"sensitivity": [who.note], "requested_at": who.birth_date + "T" + who.phone},
        good | {"sender_referral_id": who.note * 10},
    ]
    cut = json.dumps(good, ensure_ascii=False).encode()
    bodies = [("/v1/referrals", json.dumps(body).encode()) for body in wrong]
    bodies += [
        ("/v1/referrals", cut[:-20]),
        ("/v1/referrals", cut.replace(b'"', b"'")),
        ("/v1/referrals", cut + b"\xff" + who.note.encode("utf-16")),
        (
            "/v1/consents/" + quote(who.person_id),
            json.dumps({"person_id": who.person_id, "status": who.note}).encode(),
        ),
        ("/v1/screenings", json.dumps({"person": person, "answers": [who.note]}).encode()),
        ("/fhir", cut[:-20]),
        ("/fhir", json.dumps({"resourceType": who.family_name, "name": who.given_name}).encode()),
        ("/fhir", json.dumps(as_fhir_bundle(good)).replace("food-insecurity", who.note).encode()),
    ]
    if who.number % 10 == 0:
        bodies.append(("/v1/referrals", cut[:-1] + b',"x":"' + who.note.encode() * 30_000 + b'"}'))
    return bodies


def bad_records(who: Identity) -> list[bytes]:
    """Values of records that end as dead letters."""
    now = datetime.now(UTC)
    good = who.submission(f"POISON-{who.number}", PLAN)
    said = Said(ids.event_id(PLAN, "leak", str(who.number)), PLAN, now)
    whole = submitted(said, check.submission(good, now)).value
    fields = {
        "event_id": str(ids.event_id(PLAN, "leak", str(who.number), "2")),
        "occurred_at": 1,
        "organization": PLAN,
        "referral_id": str(ids.referral_id(PLAN, f"POISON-{who.number}")),
        "sender_referral_id": f"POISON-{who.number}",
    }
    inner = [
        json.dumps(good | {"priority": who.family_name}).encode(),
        json.dumps(good | {"person": who.email}).encode(),
        who.note.encode(),
    ]
    return [
        whole[: len(whole) // 2],
        b"\x00\x00\x00\x27\x0f" + whole[5:],
        who.note.encode(),
        codec.encode("referral_submitted.v1", fields | {"organization": who.email, "sealed": seal(inner[0])}),
        codec.encode("referral_submitted.v1", fields | {"event_id": who.member_id, "sealed": seal(inner[0])}),
        codec.encode(
            "referral_submitted.v1",
            fields | {"channel": who.note, "sealed": seal(json.dumps(good).encode())},
        ),
        *(codec.encode("referral_submitted.v1", fields | {"sealed": seal(each)}) for each in inner),
    ]
