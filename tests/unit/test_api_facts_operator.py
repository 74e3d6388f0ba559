"""The operator reads ids and codes in a referral's events, never what a plan or a person wrote."""

import msgspec

from api import facts
from tests.unit.test_api_views import NOW


def test_the_operator_is_not_told_a_plans_number_of_an_authorization() -> None:
    row = {
        "version": 3,
        "type": "authorization-decided",
        "occurred_at": NOW,
        "at": NOW,
        "actor_organization": "plan",
        "actor_user": "plan-client",
        "on_behalf_of": None,
        "channel": "api",
        "data": msgspec.json.encode({"status": "approved", "number": "canary-number", "units": 1}),
        "sealed": b"",
    }
    assert "canary" not in str(facts.event("operator", "operator", "clinic", row))
    assert "canary" in str(facts.event("payer", "plan", "clinic", row)), "the plan reads its own"
