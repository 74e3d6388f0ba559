"""TRANSITIONS, the table of what a hop's answers may do; buttons, diagrams and checks derive from it.

Comes in: nothing. Goes out: rows and look-ups. Must never decide; answering.py does, by these rows.
"""

from datetime import timedelta
from typing import NamedTuple

from referrals import events as e
from referrals.words import HELD, HopStatus


class Transition(NamedTuple):
    """One row: from which hop statuses an action may be taken, to which it leads (None = stays), its reasons.

    `window`: how long after the referral closed it may still be taken. `hub`: the hub may take it too.
    """

    sources: frozenset[HopStatus]
    target: HopStatus | None
    event: type[e.HopEvent]
    reasons: str | None = None
    window: timedelta | None = None
    hub: bool = False


H = HopStatus
_ASKED = frozenset({H.REQUESTED})
_OVER = frozenset({H.COMPLETED, H.FAILED})
_ANY = frozenset(HopStatus)
MONTH = timedelta(days=30)

# action -> what it may do. An answer to an expired hop is late: it counts while nobody else holds the referral.
TRANSITIONS: dict[str, Transition] = {
    "accept": Transition(_ASKED | {H.EXPIRED}, H.ACCEPTED, e.HopAccepted),
    "reject": Transition(_ASKED, H.REJECTED, e.HopRejected, "reject_reasons"),
    "contact": Transition(HELD, None, e.ContactMade),
    "start": Transition(HELD - {H.IN_PROGRESS}, H.IN_PROGRESS, e.HopStarted),
    "hold": Transition(HELD - {H.ON_HOLD}, H.ON_HOLD, e.HopHeld, "hold_reasons"),
    "resume": Transition(frozenset({H.ON_HOLD}), H.IN_PROGRESS, e.HopResumed),
    "record-service": Transition(HELD, None, e.ServiceDelivered),
    "complete": Transition(HELD, H.COMPLETED, e.HopCompleted, "outcomes"),
    "fail": Transition(HELD, H.FAILED, e.HopFailed, "outcomes"),
    "cancel": Transition(HELD, H.CANCELLED, e.HopWithdrawn, "withdraw_reasons"),
    "transfer": Transition(_ASKED | HELD, H.REJECTED, e.HopTransferred, "withdraw_reasons"),
    "correct": Transition(_OVER, None, e.OutcomeCorrected, "outcomes", MONTH),
    "reopen": Transition(_OVER, H.IN_PROGRESS, e.HopReopened, window=MONTH, hub=True),
    "note": Transition(_ANY, None, e.NoteAdded),
}


def allowed_actions(status: HopStatus) -> tuple[str, ...]:
    """The actions a hop's status allows: what buttons show."""
    return tuple(action for action, row in TRANSITIONS.items() if status in row.sources)
