"""The tables of the life cycle: what a hop's answers may do, and what may be done to a whole referral.

Comes in: nothing. Goes out: rows and look-ups; rules, buttons, diagrams and the database's checks derive from them.
Must never decide; answering.py, reviewing.py and lifecycle.py do, by these rows.
"""

from datetime import timedelta
from typing import Any, NamedTuple

from referrals import events as e
from referrals.words import HELD, TERMINAL, HopStatus, ReferralStatus


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


class Step(NamedTuple):
    """One row: who may do this to a referral, in which statuses, to which it leads ((): as it was)."""

    who: str
    sources: frozenset[ReferralStatus]
    targets: tuple[ReferralStatus, ...]
    event: type[Any]
    reasons: str | None = None


H, R = HopStatus, ReferralStatus
_ASKED = frozenset({H.REQUESTED})
_OVER = frozenset({H.COMPLETED, H.FAILED})
_ANY = frozenset(HopStatus)
_OPEN = frozenset(ReferralStatus) - TERMINAL
_REVIEW = frozenset({R.NEEDS_REVIEW})
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

# what is done to the whole referral -> by whom, when, and where it leads; answers to hops are above.
STEPS: dict[str, Step] = {
    "amend": Step("sender", _OPEN, (), e.ReferralAmended),
    "cancel": Step("sender", _OPEN, (R.CANCELLED,), e.ReferralCancelled, "cancel_reasons"),
    "enter in error": Step(
        "sender", frozenset(R) - {R.ENTERED_IN_ERROR}, (R.ENTERED_IN_ERROR,), e.ReferralEnteredInError
    ),
    "assign": Step("hub", _REVIEW, (R.REQUESTED,), e.ServiceAssigned),
    "close": Step("hub", _REVIEW, (R.COMPLETED, R.FAILED), e.ReferralClosed, "outcomes"),
    "reopen": Step("hub", frozenset({R.COMPLETED, R.FAILED}), (R.NEEDS_REVIEW,), e.ReferralReopened),
    "authorize": Step("plan", frozenset(R), (), e.AuthorizationDecided),
    "let expire": Step("exchange", frozenset({R.REQUESTED}), (R.REQUESTED, R.NEEDS_REVIEW), e.HopExpired),
}


def allowed_actions(status: HopStatus) -> tuple[str, ...]:
    """The actions a hop's status allows: what buttons show."""
    return tuple(action for action, row in TRANSITIONS.items() if status in row.sources)
