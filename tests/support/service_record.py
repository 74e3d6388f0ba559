"""A pantry, requests to it and what their facts tell of it; for unit tests of records and standings."""

from datetime import datetime, timedelta

from hypothesis import strategies as st

from referrals import events as e
from referrals import words
from referrals.service_record import (
    NOTHING,
    Record,
    told_by,
)
from referrals.state import Hop
from referrals.words import HopStatus
from tests.support.referrals import NOW, service

DAY = NOW.date()
PANTRY = service("pantry")
OWNER = (PANTRY.id, "pantry")


def hop(status: HopStatus = HopStatus.REQUESTED) -> Hop:
    """One request to the pantry."""
    return Hop(
        hop="h",
        number=1,
        organization="pantry",
        service=PANTRY.id,
        status=status,
        requested_at=NOW,
        due_at=NOW,
    )


def later(hours: float) -> datetime:
    """Hours after now."""
    return NOW + timedelta(hours=hours)


def told(event: e.Event, status: HopStatus = HopStatus.REQUESTED, hours: float = 2) -> Record:
    """What a fact about that request tells of its service."""
    return told_by(hop(status), event, later(hours)) or NOTHING


# Whatever one fact can tell, in any status and at any hour.
TOLD = st.builds(
    told,
    st.sampled_from(
        [
            e.HopAccepted(hop="h"),
            e.HopExpired(hop="h"),
            *(
                e.HopRejected(hop="h", reason=reason, close_service=closes)
                for reason in words.table("reject_reasons")
                for closes in (False, True)
            ),
            *(e.HopWithdrawn(hop="h", reason=reason) for reason in words.table("withdraw_reasons")),
        ]
    ),
    st.sampled_from(HopStatus),
    st.integers(0, 40),
)
