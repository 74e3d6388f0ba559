"""Which of a tenant's values somebody else may be shown, by what they are to the object: the declaration, per field.

Comes in: a canary and the organization that was shown it. Goes out: whether that was declared. Written from
architecture.md ("minimum necessary") and interfaces.md; what is not listed is a leak.
"""

from tests.support.matrix.canaries import Canary
from tests.support.matrix.world import World

NAMES = frozenset({"given_name", "family_name", "birth_date"})
CONTACT = NAMES | {
    "gender",
    "phone",
    "email",
    "line",
    "city",
    "accessibility",
    "alternate",
    "phones",
    "best_times",
}
NEED = frozenset({"programme", "need_code", "need_note"})
IDS = frozenset({"own_id", "case_id"})
ANSWERS = frozenset({"accept_note", "outcome_note", "authorization", "assign_reason"})
CARE = CONTACT | NEED | IDS | ANSWERS | {"related", "referrer", "consent_id"}
# What one is to a referral -> the fields of its sender and of the others about it that they may be shown.
SHARED: dict[str, frozenset[str]] = {
    "sender": frozenset({"*"}),
    "holder": CARE,
    "offered": frozenset({"programme", "need_code"}),
    "payer": NAMES | IDS | {"programme", "need_code", "member_id", "authorization", "consent_id"},
    "hub": CARE,
    "operator": frozenset(),
}


def declared(found: Canary, organization: str | None, world: World) -> bool:
    """Whether that organization may be shown this value."""
    if organization is None:
        return False
    if found.tenant == organization:
        return True
    if found.thing == "hub":  # why the hub chose a service: told to the parties of what it chose for
        parties = {p for t in world.of("referral") if "reviewed" in t.name for p in t.parties}
        return organization in parties
    thing = world.things.get(found.thing)
    party = thing.parties.get(organization) if thing is not None else None
    if found.thing == "reference":  # submitted by the matrix itself, to food-a, paid by the cedar plan
        party = {"food-a": "offered", "hub": "hub"}.get(organization)
    fields = SHARED.get(party or "", frozenset())
    return "*" in fields or found.field in fields
