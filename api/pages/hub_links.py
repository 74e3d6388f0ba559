"""The hub's answer to a proposed link: two senders' persons are one, or two people.

Comes in: a form of a hub behind the guard. Goes out: a redirect; the answer is published. A foreign link is not found.
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from api import persons
from api.pages.asking import ask
from api.pages.forms import go
from api.problems import not_found
from api.referrals import referral_id
from producers import envelope
from referrals.linking import ANSWERS


async def decide(request: Request) -> Response:
    """Publish what the navigator says and go back to the queue."""
    id, answer = referral_id(request), request.path_params["answer"]
    if answer not in ANSWERS or await persons.one(request, id) is None:
        raise not_found()
    ending = await ask(request, partial(envelope.link_decided, link=id, answer=answer))
    return go("/hub", "linked" if ending.kind == "done" else "pending")
