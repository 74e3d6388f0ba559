"""What each kind of viewer may see of a referral, as tables: what a row does not list is never shown.

Comes in and goes out: nothing; views.py reads it. Must never hold a rule about a referral.
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
# A stub tells which referral it was and what became of one's own part in it; of the person, nothing. Labels go with
# whatever says what was needed.
STUB = IDS | {"need", "sensitivity"}
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
DOMAIN = frozenset({"domain"})
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
    "payer-without-consent": Grant(STUB | {"next_action", "contract"}, need=DOMAIN),
    "payer-before": Grant(STUB - {"hops"} | {"services_delivered", "contract"}, need=DOMAIN),
    "holder": Grant(CARE | {"notes"}, CONTACT, ALL, frozenset({"payer"}), CONSENT, all_hops=False),
    "offered": Grant(
        STUB | {"person", "service_area", "next_action", "requested_at"},
        AREA,
        SERVICE | {"programme", "code"},
        all_hops=False,
    ),
    "past": Grant(STUB, need=DOMAIN, all_hops=False),
    "withheld": Grant(STUB, need=DOMAIN, all_hops=False),
    "operator": Grant(IDS | {"flags", "next_action", "reason"}),
}
# The most that an operator sees through a break-glass of what the organization itself sees there: no notes, nothing of
# the person beyond what helping takes, nothing that is the sender's own.
MOST = Grant(
    fields=CARE,
    person=CONTACT | {"area"},
    need=SERVICE | {"programme", "code"},
    coverage=frozenset({"payer", "member_id"}),
    consent=CONSENT,
)


def _within(own: frozenset[str], most: frozenset[str]) -> frozenset[str]:
    return most - {"area"} if own == ALL else own & most


def _opened(own: Grant) -> Grant:
    return Grant(
        fields=own.fields & MOST.fields,
        person=_within(own.person, MOST.person),
        need=_within(own.need, MOST.need),
        coverage=_within(own.coverage, MOST.coverage),
        consent=_within(own.consent, MOST.consent),
        all_hops=own.all_hops,
    )


# A viewer's kind -> what an operator sees who opened that organization's view; on record as `break-glass-<kind>`.
OPENED: dict[str, Grant] = {kind: _opened(grant) for kind, grant in GRANTS.items() if kind != "operator"}
# Viewers for whom a sensitive need is its domain alone.
DISCREET = frozenset({"payer", "offered", "past", "withheld", "payer-without-consent", "payer-before"})
# Viewers for whom a masked referral has no organization, address or need (referrals/data/masking.json).
MASKED_FOR = frozenset({"payer", "payer-without-consent", "payer-before"})
# What tells of a service delivered when what it was is masked.
MASKED_SERVICE = frozenset({"service_event_id", "date", "units"})
# What is withheld where the person may not be contacted: the alternate contact is shown instead.
PROHIBITED = frozenset({"phone", "email", "address"})
PROHIBITED_CONTACT = frozenset({"phones", "mail_ok", "email_ok", "best_times"})
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
    *("created_at", "updated_at", "notice"),
)
