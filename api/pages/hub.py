"""The hub's pages: the review queue, and one referral with the services a navigator may choose.

Comes in: requests of a hub behind the guard. Goes out: pages and redirects; an assignment is published.
"""

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.context import context, principal_of
from api.pages import cbo_models, clinic_models, hub_models, parked
from api.pages.asking import ask
from api.pages.forms import fields, form, go
from api.pages.paused import paused, sentences
from api.pages.render import page
from api.pages.visit import PAGE, SQL, Opened, cut, opened, organizations, position, show_for, turned, visible
from api.persons import links_of
from producers import envelope
from referrals import words

BASE = hub_models.BASE


async def queue(request: Request) -> Response:
    """The referrals that wait for a navigator, the oldest first; the others, the newest change first."""
    principal = principal_of(request)
    tab = request.query_params.get("tab", "")
    tab = tab if tab in hub_models.TABS else next(iter(hub_models.TABS))
    statuses, first = list(hub_models.TABS[tab]), tab == next(iter(hub_models.TABS))
    async with context(request).database.reading(principal) as connection:
        query = SQL["queue"] if first else SQL["followed"]
        rows = await connection.fetch(query, principal.organization, *position(request), PAGE + 1, statuses)
        links, _ = await links_of(connection, principal, "proposed", None, PAGE) if first else ([], None)
        counted = await connection.fetch(SQL["reviewed_counts"], principal.organization)
        silent, held = await paused(connection, None), await parked.held_up(connection, principal)
    rows, last = cut(rows, None if first else "place")
    by_status = {r["status"]: r["count"] for r in counted}
    counts = {name: sum(by_status.get(s, 0) for s in listed) for name, listed in hub_models.TABS.items()}
    show = await show_for(request)
    model = hub_models.queue(show, visible(request, rows), counts, tab, turned(request, last), links)
    alerts = [*parked.sentences(show, held), *sentences(show, silent, own=False)]
    return page(request, "hub_queue.html", model | {"paused": alerts})


async def one(request: Request) -> Response:
    """One referral with the services found for a kind of help and a part of a name."""
    return await chooser(request, await opened(request, "hub"), dict(request.query_params), form({}))


async def assign(request: Request) -> Response:
    """Ask the service chosen, or several at once, with the navigator's reason."""
    o = await opened(request, "hub")
    given = await fields(request)
    picked = [
        s for s in (await request.form()).getlist("service") if isinstance(s, str) and len(s.split()) == 1
    ]
    text = o.show.text
    errors = {"service": text("problem.choose"), "reason": text("problem.required")}
    errors = {
        name: said for name, said in errors.items() if not (picked if name == "service" else given.get(name))
    }
    if errors:
        return await chooser(request, o, given, form(given, errors), 422)
    if given.get("version") != str(o.view["version"]) or o.view["status"] != "needs-review":
        return conflict(request, o)
    said = {"referral": o.seen.state.id, "reason": given["reason"][:300], "version": o.view["version"]}
    record = partial(envelope.offered, services=picked, **said)
    if len(picked) == 1:
        record = partial(envelope.assigned, service=picked[0], **said)
    ending = await ask(request, record)
    if ending.kind == "conflict":
        return conflict(request, await opened(request, "hub"))
    if ending.kind == "invalid":
        wrong = form(given, {"service": text("problem.invalid", detail=ending.detail)})
        return await chooser(request, o, given, wrong, 422)
    done = "assigned" if len(picked) == 1 else "offered"
    return go("/hub", done if ending.kind == "done" else "pending")


async def chooser(
    request: Request, o: Opened, asked: dict[str, str], made: dict[str, Any], status: int = 200
) -> Response:
    """The page of one referral, with the services that may be chosen and the forms of what else may be done."""
    own = o.seen.state.domain
    domain = asked.get("domain", own)
    domain = domain if domain in words.table("domains") else own
    query = asked.get("q", "").strip()[:100]
    names = await organizations(request)
    named = [id for id, row in names.items() if query and query.lower() in row["name"].lower()]
    candidates = (
        [c["service"] for c in (o.decision or {}).get("candidates", ())]
        if domain == own and not query
        else []
    )
    async with context(request).database.reading(principal_of(request)) as connection:
        rows = await connection.fetch(SQL["services"], domain, query, candidates, named)
    active = [dict(r) for r in rows if names.get(r["organization"], {}).get("active")]
    model = hub_models.chooser(o.show, o.view, o.events, o.decision, active, made)
    model |= {"domain": domain, "query": query, "domains": o.show.text.choices("domains")}
    return page(request, "hub_referral.html", model, status)


def conflict(request: Request, o: Opened) -> Response:
    """The page that says who was faster."""
    made = clinic_models.summary(o.show, o.view, hub_models.BASE)
    model = cbo_models.overtaken(o.show, o.view, o.events, made, turn=o.view["status"] == "needs-review")
    return page(request, "conflict.html", model, 409)
