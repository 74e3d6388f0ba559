"""The canonical submission (interfaces.md, Submission): what every door produces and only `check` accepts.

Frozen structs; absent and null are the same. Must never hold behaviour beyond the split into several needs.
"""

from typing import Any

from msgspec import Struct, field

from referrals.directory import county_key


class _Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a submission: frozen, keyword-only, absent fields left out when written."""


class Coding(_Part, frozen=True):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class Attribute(_Part, frozen=True):
    system: str | None = None
    code: str | None = None
    value: Any = None


class Referrer(_Part, frozen=True):
    name: str | None = None
    role: str | None = None
    phone: str | None = None
    email: str | None = None
    npi: str | None = None
    site: str | None = None


class Address(_Part, frozen=True):
    line: str | None = None
    city: str | None = None
    county: str | None = None
    state: str | None = None
    postal_code: str | None = None


class Household(_Part, frozen=True):
    size: int | None = None
    children: int | None = None


class SafePhone(_Part, frozen=True):
    number: str | None = None
    safe: bool | None = None
    voicemail_ok: bool | None = None
    text_ok: bool | None = None


class Alternate(_Part, frozen=True):
    name: str | None = None
    relationship: str | None = None
    phone: str | None = None


class Contact(_Part, frozen=True):
    prohibited: bool | None = None
    alternate: Alternate | None = None
    phones: tuple[SafePhone, ...] = ()
    mail_ok: bool | None = None
    email_ok: bool | None = None
    best_times: str | None = None


class Person(_Part, frozen=True):
    person_id: str
    given_name: str
    family_name: str
    birth_date: str
    gender: str | None = None
    phone: str | None = None
    email: str | None = None
    address: Address | None = None
    spoken_language: str | None = None
    written_language: str | None = None
    interpreter_needed: bool | None = None
    race_ethnicity: tuple[Coding, ...] = ()
    race_ethnicity_source: str | None = None
    accessibility: tuple[str, ...] = ()
    household: Household | None = None
    attributes: tuple[Attribute, ...] = ()
    contact: Contact | None = None


class RelatedPerson(_Part, frozen=True):
    relationship: str | None = None
    name: str | None = None
    phone: str | None = None
    language: str | None = None
    may_consent: bool | None = None


class ServiceArea(_Part, frozen=True):
    postal_code: str | None = None
    county: str | None = None


class Need(_Part, frozen=True):
    domain: str
    service: Coding | None = None
    programme: str | None = None
    code: Coding | None = None
    note: str | None = None


class Coverage(_Part, frozen=True):
    payer: str | None = None
    member_id: str | None = None


class GrantedBy(_Part, frozen=True):
    relationship: str | None = None
    name: str | None = None


class Recipient(_Part, frozen=True):
    organization: str | None = None
    class_: str | None = field(default=None, name="class")


class Consent(_Part, frozen=True):
    status: str
    id: str | None = None
    method: str | None = None
    granted_by: GrantedBy | None = None
    discloser: str | None = None
    recipients: tuple[Recipient, ...] = ()
    purposes: tuple[str, ...] = ()
    data_categories: tuple[str, ...] = ()
    date: str | None = None
    expires_at: str | None = None
    document_sha256: str | None = None
    scope: tuple[str, ...] = ()


class Submission(_Part, frozen=True):
    """One need of one person, as its sender said it."""

    sender_referral_id: str
    person: Person
    need: Need
    consent: Consent
    case_id: str | None = None
    based_on_referral: str | None = None
    requested_at: str | None = None
    requested_by: str | None = None
    referrer: Referrer | None = None
    related_person: RelatedPerson | None = None
    service_area: ServiceArea | None = None
    priority: str = "routine"
    sensitivity: tuple[str, ...] = ()
    coverage: Coverage | None = None
    routing: str | None = None
    preferred_organization: str | None = None
    excluded_organizations: tuple[str, ...] = ()


def postal_code(s: Submission) -> str | None:
    """Where help is wanted, first five digits of the ZIP: the service area, else the person's address."""
    for place in (s.service_area, s.person.address):
        if place is not None and place.postal_code:
            return place.postal_code.strip()[:5]
    return None


def county(s: Submission) -> str | None:
    """The county where help is wanted: the service area's, else the address's; lower case, no suffix."""
    for place in (s.service_area, s.person.address):
        if place is not None and place.county:
            return county_key(place.county)
    return None
