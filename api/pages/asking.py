"""What a form asks of the exchange: one record published, its outcome awaited, told as one of a few endings.

Comes in: a request and the record to publish. Goes out: an Ending. Must never write referral state.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

from starlette.requests import Request

from api import events
from api.changes import Outcome
from api.outcomes import KIND
from api.problems import Problem, not_found
from producers.envelope import Record, Said
from referrals.errors import NEXT_STEP

WORDLESS = frozenset({"internal", "too-large", "not-permitted"})


class Ending(NamedTuple):
    """How it ended: `done`, `pending` (no outcome within two seconds), `conflict`, or `invalid` with a detail."""

    kind: str
    detail: str = ""


async def ask(request: Request, record: Callable[[Said], Record]) -> Ending:
    """Publish what `record` makes of the envelope and wait for its outcome."""
    asked = events.Ask(uuid4(), datetime.now(UTC))
    made = record(events.said(request, asked))
    await events.publish(request, [made])
    return ending(await events.outcome(request, made.event_id))


def ending(outcome: Outcome | None) -> Ending:
    """The ending an outcome is for a person; raises the problems that only a page of their own can tell."""
    if outcome is None:
        return Ending("pending")
    if outcome.effective:
        return Ending("done")
    kind = KIND.get(outcome.reason or "", "conflict")
    if kind == "not-found":
        raise not_found()
    if kind in WORDLESS:
        raise Problem(kind)
    detail = outcome.detail or NEXT_STEP.get(outcome.reason or "", "")
    return Ending("invalid" if kind == "invalid" else "conflict", detail)
