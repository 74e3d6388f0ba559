"""What a plan sees of a referral that it paid for until another plan followed."""

from api import views
from referrals.state import PayerBefore
from referrals.words import HopStatus, ReferralStatus
from tests.unit.test_api_views import NOW, PLAN, Someone, seen, shown


def test_a_plan_that_paid_before_sees_what_stood_when_it_left_and_nobody() -> None:
    left = PayerBefore(
        payer="plan", contract="plan-2026", until=NOW, status=ReferralStatus.ACCEPTED, services=1
    )
    delivered = ({"service_event_id": "in-its-time"}, {"service_event_id": "later"})
    changes = {"payer": "next-plan", "payers_before": (left,), "services_delivered": delivered}
    found = seen(HopStatus.COMPLETED, named_payer="plan", **changes)
    assert shown(PLAN, found) == set()
    view = views.referral(PLAN.principal, found)
    assert view is not None
    assert (view["status"], view["contract"], view["outcome"]) == ("accepted", "plan-2026", None)
    assert list(view["services_delivered"]) == [{"service_event_id": "in-its-time"}]
    assert (view["hops"], view["need"], view["coverage"]) == ([], {"domain": "food-insecurity"}, None)
    now = views.referral(Someone("next-plan", "mco").principal, found)
    assert now is not None
    assert (now["status"], now["coverage"]["payer"]) == ("completed", "next-plan")
