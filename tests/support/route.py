"""A need for food that asks for Spanish, and what routing decides for it; for unit tests."""

from typing import Any

from referrals.events import RoutingDecided
from referrals.route import route
from referrals.wanted import Wanted
from tests.support.referrals import NOW, ZIP, world

WANTED = Wanted(sender="clinic", domain="food-insecurity", postal_code=ZIP, county=None, language="es")


def decided(*services: Any, loads: dict[str, int] | None = None, **wanted: Any) -> RoutingDecided:
    """What routing decides between these services for the usual need, changed."""
    return route(WANTED._replace(**wanted), world(*services).directory, loads or {}, NOW)


def excluded(decision: RoutingDecided) -> dict[str, str]:
    """Organization -> the rule that excluded it."""
    return {c.organization: c.excluded_by.rule for c in decision.candidates if c.excluded_by}
