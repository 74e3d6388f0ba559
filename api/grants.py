"""What each kind of viewer may see of a referral, as tables: what a row does not list is never shown.

Comes in and goes out: nothing; views.py reads it. Must never hold a rule.
"""

from msgspec import Struct


class Grant(Struct, frozen=True):
    """What one kind of viewer sees: top-level fields, fields of parts ("*" = all), and whether notes and hops."""

    fields: frozenset[str]
    person: frozenset[str] = frozenset()
    need: frozenset[str] = frozenset()
    coverage: frozenset[str] = frozenset()
    consent: frozenset[str] = frozenset()
    all_hops: bool = True


ALL = frozenset({"*"})
IDS = frozenset({"id", "sender", "status", "version", "priority", "hops", "created_at", "updated_at"})
COMMON = IDS | {
    "sender_referral_id",
    "case_id",
    "need",
    "sensitivity",
    "person",
    "coverage",
    "authorization",
    "services_delivered",
    "outcome",
    "follow_up",
    "next_action",
    "flags",
    "requested_at",
    "reason",
}
CARE = COMMON | {"related_person", "service_area", "requested_by", "referrer", "consent", "based_on_referral"}
SENT = CARE | {"detail", "routing", "preferred_organization", "excluded_organizations", "contract", "notes"}
CONTACT = frozenset(
    {
        "given_name",
        "family_name",
        "birth_date",
        "gender",
        "phone",
        "email",
        "address",
        "spoken_language",
        "written_language",
        "interpreter_needed",
        "accessibility",
        "household",
        "contact",
    }
)
AREA = frozenset({"spoken_language", "interpreter_needed", "area"})
SERVICE = frozenset({"domain", "service"})
CONSENT = frozenset({"status", "date", "expires_at", "scope"})

# One row per kind of viewer; a viewer's kind is `kind_of`.
GRANTS: dict[str, Grant] = {
    "sender": Grant(SENT, ALL, ALL, ALL, ALL),
    "hub": Grant(SENT - {"excluded_organizations"}, CONTACT, ALL, frozenset({"payer"}), CONSENT),
    "payer": Grant(
        COMMON | {"contract"},
        frozenset({"given_name", "family_name", "birth_date"}),
        SERVICE | {"programme", "code"},
        ALL,
    ),
    "payer-without-consent": Grant(IDS | {"need", "next_action", "contract"}, need=frozenset({"domain"})),
    "payer-before": Grant(
        IDS - {"hops"} | {"need", "services_delivered", "contract"}, need=frozenset({"domain"})
    ),
    "holder": Grant(CARE | {"notes"}, CONTACT, ALL, frozenset({"payer"}), CONSENT, all_hops=False),
    "offered": Grant(
        IDS | {"need", "person", "coverage", "service_area", "next_action", "requested_at"},
        AREA,
        SERVICE | {"programme", "code"},
        frozenset({"payer"}),
        all_hops=False,
    ),
    "past": Grant(IDS | {"need"}, need=frozenset({"domain"}), all_hops=False),
    "operator": Grant(IDS | {"flags", "next_action", "reason"}),
}
# Viewers for whom a sensitive need is its domain alone.
DISCREET = frozenset({"payer", "offered", "past", "payer-without-consent"})
FIELDS = (
    *(
        "id",
        "sender",
        "sender_referral_id",
        "case_id",
        "status",
        "version",
        "need",
        "priority",
        "sensitivity",
    ),
    *("person", "coverage", "authorization", "hops", "services_delivered", "outcome", "next_action", "flags"),
    *("created_at", "updated_at"),
)
