"""The tables of HSDS 3.0/3.1 and what each field must be, in the order in which rows can be joined.

Reads as: `name!` a row without it is not loaded; `name?` HSDS asks for it, the row loads without it; `:kind` what
the value must be (values.py); `^table` the row belongs to a row of that table; `>table` it refers to one.
"""

import re
from typing import NamedTuple

_TEXT = {
    "organization": "id! name! alternate_name description? email:email website:url tax_status tax_id "
    "year_incorporated:year legal_status logo:url uri:uri parent_organization_id>organization",
    "taxonomy": "id! name! description? uri:uri version",
    "taxonomy_term": "id! code name? description? parent_id>taxonomy_term taxonomy language:language "
    "taxonomy_id>taxonomy term_uri:uri version",
    "unit": "id! name! scheme identifier uri:uri",
    "program": "id! organization_id!^organization name! alternate_name description?",
    "service": "id! organization_id!^organization program_id>program name! alternate_name description url:url "
    "email:email status?:status interpretation_services application_process fees_description wait_time fees "
    "accreditations eligibility_description minimum_age:age maximum_age:age assured_date:date "
    "assurer_email:email licenses alert last_modified:moment",
    "location": "id! location_type?:place url:url organization_id^organization name alternate_name description "
    "transportation latitude:latitude longitude:longitude external_identifier external_identifier_type",
    "service_at_location": "id! service_id!^service location_id!>location description",
    "contact": "id! organization_id^organization service_id^service service_at_location_id^service_at_location "
    "location_id^location name title department email:email",
    "phone": "id! location_id^location service_id^service organization_id^organization contact_id^contact "
    "service_at_location_id^service_at_location number! extension:number type description",
    "address": "id! location_id!^location attention address_1? address_2 city? region state_province? "
    "postal_code? country?:country address_type?:place",
    "schedule": "id! service_id^service location_id^location service_at_location_id^service_at_location "
    "valid_from:date valid_to:date dtstart:date timezone:zone until:date count:count wkst:weekday freq:freq "
    "interval:count byday:byday byweekno bymonthday byyearday description opens_at:time closes_at:time "
    "schedule_link:url attending_type notes",
    "language": "id! service_id^service location_id^location phone_id^phone name code:language note",
    "service_area": "id! service_id^service service_at_location_id^service_at_location name description extent "
    "extent_type:extent uri:uri",
    "accessibility": "id! location_id!^location description details url:url",
    "cost_option": "id! service_id!^service valid_from:date valid_to:date option currency:currency "
    "amount:number amount_description",
    "required_document": "id! service_id!^service document uri:uri",
    "funding": "id! organization_id^organization service_id^service source",
    "organization_identifier": "id! organization_id!^organization identifier_scheme identifier_type? identifier!",
    "service_capacity": "id! service_id!^service unit_id!>unit available!:count maximum:count description "
    "updated!:moment",
    "url": "id! organization_id^organization service_id^service label url!:url",
    "attribute": "id! link_id! taxonomy_term_id!>taxonomy_term link_type link_entity? value label",
    "metadata": "id! resource_id! resource_type? last_action_date?:date last_action_type? field_name? "
    "previous_value replacement_value updated_by?",
    "meta_table_description": "id! name language:language character_set",
}
PLURALS = {
    "taxonomy": "taxonomies",
    "address": "addresses",
    "service_capacity": "capacities",
} | {name: name for name in ("accessibility", "funding", "metadata")}
"""Where the key of a nested array is not the table's name with an s."""
EMBEDDED = {
    "program_id": "program",
    "location_id": "location",
    "taxonomy_term_id": "taxonomy_term",
    "taxonomy_id": "taxonomy_detail",
    "unit_id": "unit",
}
"""The object that stands for a `>` reference in nested JSON; other references stay ids."""
LINKS = {"attribute": ("link_id", "link_entity"), "metadata": ("resource_id", "resource_type")}
"""Tables whose rows belong to a row of any table, named beside it."""
ORPHANS = ("location", "organization")
"""Tables whose rows may belong to nothing, though a field for it is there."""
ORDERED = (
    ("schedule", "valid_from", "valid_to"),
    ("schedule", "dtstart", "until"),
    ("cost_option", "valid_from", "valid_to"),
    ("service", "minimum_age", "maximum_age"),
)
"""Pairs of which the first must not be after the second."""


class Field(NamedTuple):
    """One column: whether it must be there, its kind, and the table it points into."""

    name: str
    need: str
    kind: str
    link: str
    table: str


_FIELD = re.compile(r"(\w+)([!?]?)(?::(\w+))?(?:([\^>])(\w+))?")


def _field(text: str) -> Field:
    found = _FIELD.fullmatch(text)
    assert found is not None, text
    return Field(*(part or "" for part in found.groups()))


TABLES: dict[str, dict[str, Field]] = {
    table: {field.name: field for field in map(_field, text.split())} for table, text in _TEXT.items()
}


def plural(table: str) -> str:
    """The key of a nested array of the table's rows."""
    return PLURALS.get(table, f"{table}s")


NAMES = {
    name: table
    for table in TABLES
    for name in (table, plural(table), f"{table}s")
    if name != "service_capacitys"
} | {
    "service_capacities": "service_capacity",
    "additional_urls": "url",
    "additional_websites": "url",
    "taxonomy_detail": "taxonomy",
}
"""Every name under which a table appears: as a file, as a key, in link_entity."""
