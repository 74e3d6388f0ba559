"""The records about persons as decode.py reads them: consents, screenings, links, an erasure.

Comes in: decoded fields. Goes out: the fact to record, its stream's kind and id. Raises Wrong, Invalid and ValueError.
"""

from uuid import UUID

from msgspec import structs

from producers.envelope import unseal
from referrals import check, consenting, erasing, ids, linking, screening
from referrals import commands as c
from referrals.check import parse_time
from referrals.errors import DeadLetterReason as Bad
from stream_processors.decode_fields import Fields, Wrong, json_of
from stream_processors.runs import Consumed, appended_at


def consent_changed(raw: Consumed, fields: Fields) -> tuple[c.RecordFact, str, UUID]:
    """A grant or revocation: ids made again from whose it is; without a time of its own it holds from now on."""
    said = json_of(unseal(fields["sealed"]))
    ended = fields["action"] == "revoke"
    terms = check.consent(
        said | ({"status": "revoked"} if ended else {"status": said.get("status", "active")})
    )
    owner = fields["on_behalf_of"] or fields["organization"]
    consent, person = UUID(fields["consent_id"]), UUID(fields["person_key"])
    if terms.id is not None and ids.consent_id(owner, terms.id) != consent:
        raise Wrong(Bad.ID_MISMATCH, "consent_id is not the one of this organization and id")
    person_id = said.get("person_id")
    if isinstance(person_id, str) and ids.person_key(owner, person_id) != person:
        raise Wrong(Bad.ID_MISMATCH, "person_key is not the one of this organization and person_id")
    at = appended_at(raw)
    since = min(parse_time(str(said.get("occurred_at") or "")) or at, at)
    fact = consenting.fact(consent, person, since, terms, fields["sealed"])
    return structs.replace(fact, owner=fields["on_behalf_of"] or None), consenting.KIND, consent


def screened(raw: Consumed, fields: Fields) -> tuple[c.RecordFact, str, UUID]:
    stream_id, sealed = UUID(fields["screening_id"]), fields["sealed"]
    found = screening.screened(json_of(unseal(sealed)))
    data = {"person_key": fields["person_key"], **screening.clear(found)}
    return (
        c.RecordFact(screening.KIND, stream_id, "screening-recorded", data, sealed),
        screening.KIND,
        stream_id,
    )


def link_proposed(raw: Consumed, fields: Fields) -> tuple[c.RecordFact, str, UUID]:
    link = UUID(fields["link_id"])
    return c.RecordFact(linking.KIND, link, linking.PROPOSED, json_of(fields["body"])), linking.KIND, link


def link_decided(raw: Consumed, fields: Fields) -> tuple[c.RecordFact, str, UUID]:
    link, data = UUID(fields["link_id"]), {"answer": fields["answer"], "reason": fields["reason"] or None}
    return c.RecordFact(linking.KIND, link, linking.DECIDED, data), linking.KIND, link


def erasure_asked(raw: Consumed, fields: Fields) -> tuple[c.RecordFact, str, UUID]:
    person = UUID(fields["person_key"])
    data = {"person_key": str(person), "reason": fields["reason"]}
    return c.RecordFact(erasing.KIND, person, erasing.ERASED, data), erasing.KIND, person
