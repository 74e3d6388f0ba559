"""The community organization's pages: inbox, one referral, the questions behind its buttons, and its answers.

Comes in: requests of a CBO behind the guard. Goes out: pages and redirects; answers are published, never written.
The version the person saw travels in the form, so that nobody answers what has changed meanwhile.
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from api import metrics
from api.context import context, principal_of
from api.pages import cards, cbo_answers, cbo_models
from api.pages.asking import ask
from api.pages.cards import BASE, TABS
from api.pages.forms import fields, form, go
from api.pages.paused import paused, sentences
from api.pages.render import page
from api.pages.visit import PAGE, SQL, Opened, cut, opened, organizations, position, show_for, turned, visible
from api.problems import not_found
from api.views import RECEIVERS
from producers import envelope
from referrals.transitions import TRANSITIONS, allowed_actions
from referrals.words import HopStatus


async def inbox(request: Request) -> Response:
    """The cards of one tab: what needs a reply first, by the time it is due."""
    principal = principal_of(request)
    tab = request.query_params.get("tab", "new")
    tab = tab if tab in TABS else "new"
    query = "waiting" if tab == "new" else "answered"
    async with context(request).database.reading(principal) as connection:
        rows = await connection.fetch(
            SQL[query], principal.organization, list(TABS[tab]), *position(request), PAGE + 1
        )
        counted = await connection.fetch(SQL["inbox_counts"], principal.organization)
        silent = await paused(connection, principal.organization)
    rows, last = cut(rows, "place")
    by_status = {r["status"]: r["count"] for r in counted}
    counts = {name: sum(by_status.get(s, 0) for s in statuses) for name, statuses in TABS.items()}
    show = await show_for(request)
    model = cbo_models.inbox(show, visible(request, rows), counts, tab, turned(request, last))
    return page(request, "cbo_inbox.html", model | {"paused": sentences(show, silent, own=True)})


async def one(request: Request) -> Response:
    """One referral: contact once accepted, buttons, story."""
    o = await opened(request, *RECEIVERS)
    return page(request, "cbo_referral.html", cbo_models.one(o.show, o.view, o.events))


async def question(request: Request) -> Response:
    """The one question behind a button that does not act at once."""
    action = request.path_params["action"]
    o = await opened(request, *RECEIVERS)
    if action not in cbo_models.QUESTIONS:
        raise not_found()
    if not _may(o, action):
        return _conflict(request, o)
    return await _asked(request, o, action, form({}))


async def answer(request: Request) -> Response:
    """Publish the answer; 409 with who was faster when the referral has changed."""
    name = request.path_params["action"]
    o = await opened(request, *RECEIVERS)
    if name not in cbo_answers.FORMS:
        raise not_found()
    given = await fields(request)
    if errors := cbo_answers.wrong(o.show, name, given):
        return await _again(request, o, name, form(given, errors))
    action, said = cbo_answers.said(name, given)
    target, status = TRANSITIONS[action].target, cards.own_hop(o.view)["status"]
    if target is not None and status == target:  # tapped twice: it is as they want it
        return go(cbo_answers.after(name, f"{BASE}/{o.view['id']}"), action)
    if given.get("version") != str(o.view["version"]) or not _may(o, name):
        return _conflict(request, o)
    hop = str(cards.own_hop(o.view)["hop"])
    record = partial(
        envelope.responded,
        referral=o.seen.state.id,
        action=action,
        hop=hop,
        version=o.view["version"],
        **said,
    )
    ending = await ask(request, record)
    metrics.RESPONDED.labels(action).inc()
    if ending.kind == "conflict":
        return _conflict(request, await opened(request, *RECEIVERS))
    if ending.kind == "invalid":
        told = form(given, {}, o.show.text("problem.invalid", detail=ending.detail))
        return await _again(request, o, name, told)
    done = cbo_answers.done(action, said) if ending.kind == "done" else "pending"
    return go(cbo_answers.after(name, f"{BASE}/{o.view['id']}"), done)


def _may(o: Opened, name: str) -> bool:
    """Whether the hop's status allows what the button asks."""
    needs = next(b.needs for b in cards.BUTTONS if b.name == name)
    return bool(set(needs) & set(allowed_actions(HopStatus(cards.own_hop(o.view)["status"]))))


async def _again(request: Request, o: Opened, name: str, made: dict[str, object]) -> Response:
    if name not in cbo_models.QUESTIONS:
        return _conflict(request, o)
    return await _asked(request, o, name, made, 422)


async def _asked(
    request: Request, o: Opened, name: str, made: dict[str, object], status: int = 200
) -> Response:
    own, names = principal_of(request).organization, await organizations(request)
    others = [
        {"code": id, "label": str(row["name"])}
        for id, row in names.items()
        if name == "transfer" and row["type"] == "cbo" and row["active"] and id != own
    ]
    listed = sorted(others, key=lambda option: option["label"])
    return page(request, "cbo_answer.html", cbo_models.answer(o.show, o.view, name, made, listed), status)


def _conflict(request: Request, o: Opened) -> Response:
    return page(request, "conflict.html", cbo_models.conflict(o.show, o.view, o.events), 409)
