"""The sender's pages: tracker list, one referral, taking one back.

Comes in: requests of a sender behind the guard. Goes out: pages and redirects; what is asked is published.
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from api.context import context, principal_of
from api.pages import cbo_models, clinic_models
from api.pages.asking import ask
from api.pages.clinic_models import BASE, TABS
from api.pages.forms import fields, form, go
from api.pages.render import page
from api.pages.visit import PAGE, SQL, Opened, cut, opened, position, show_for, turned, visible
from avro_schemas import topics
from producers import envelope
from referrals import words
from referrals.words import TERMINAL


async def index(request: Request) -> Response:
    """The referrals of the sender, newest first, by tab and by a part of its own id."""
    principal = principal_of(request)
    tab = request.query_params.get("tab", "all")
    tab = tab if tab in TABS else "all"
    query = request.query_params.get("q", "").strip()[:200]
    async with context(request).database.reading(principal) as connection:
        rows = await connection.fetch(
            SQL["sent"], principal.organization, list(TABS[tab]), query, *position(request), PAGE + 1
        )
        counted = {
            r["status"]: r["count"]
            for r in await connection.fetch(SQL["sent_counts"], principal.organization)
        }
    rows, last = cut(rows)
    counts = {t: sum(counted.get(s, 0) for s in (TABS[t] or counted)) for t in TABS}
    show = await show_for(request)
    model = clinic_models.tracker(show, visible(request, rows), counts, tab, query, turned(request, last))
    return page(request, "clinic_list.html", model)


async def one(request: Request) -> Response:
    """One referral with its story."""
    o = await opened(request, "sender")
    return page(request, "clinic_referral.html", clinic_models.detail(o.show, o.view, o.events, o.decision))


async def cancel_form(request: Request) -> Response:
    """The question before a referral is taken back."""
    o = await opened(request, "sender")
    if o.view["status"] in TERMINAL:
        return _conflict(request, o)
    return page(request, "clinic_cancel.html", clinic_models.cancel(o.show, o.view, form({})))


async def cancel(request: Request) -> Response:
    """Take a referral back, with a reason of the reviewed list."""
    o = await opened(request, "sender")
    given = await fields(request)
    if given.get("reason") not in words.table("cancel_reasons"):
        wrong = form(given, {"reason": o.show.text("problem.choose")})
        return page(request, "clinic_cancel.html", clinic_models.cancel(o.show, o.view, wrong), 422)
    if given.get("version") != str(o.view["version"]):
        return _conflict(request, o)
    record = partial(
        envelope.cancelled,
        sender_referral_id=o.seen.state.sender_referral_id,
        reason=given["reason"],
        note=given.get("note", ""),
        topic=topics.INTAKE_API,
    )
    ending = await ask(request, record)
    if ending.kind in ("done", "pending"):
        return go(f"{BASE}/{o.view['id']}", "cancelled" if ending.kind == "done" else "pending")
    return _conflict(request, await opened(request, "sender"))


def _conflict(request: Request, o: Opened) -> Response:
    made = clinic_models.summary(o.show, o.view)
    model = cbo_models.overtaken(o.show, o.view, o.events, made, turn=o.view["status"] not in TERMINAL)
    return page(request, "conflict.html", model, 409)
