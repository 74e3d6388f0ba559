"""What a navigator does besides assigning: close, take up again, record an answer by telephone or fax.

Comes in: forms of a hub behind the guard. Goes out: redirects, or the page again with what is wrong.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api import metrics
from api.pages import hub, hub_answers
from api.pages.asking import ask
from api.pages.forms import fields, form, go
from api.pages.visit import Opened, opened
from api.problems import not_found
from producers import envelope
from producers.envelope import Record, Said


async def close(request: Request) -> Response:
    """Close what waits for the hub, with its outcome."""
    o, given = await opened(request, "hub"), await fields(request)
    if errors := hub_answers.wrong(o.show, given, outcome=True):
        return await hub.chooser(request, o, given, form(given, errors), 422)
    if not hub_answers.known(given["answer"]) or o.view["status"] != "needs-review":
        return hub.conflict(request, o)
    action, said = hub_answers.said(given)
    return await _published(request, o, given, action, said, "closed")


async def reopen(request: Request) -> Response:
    """Take up again what has closed."""
    o, given = await opened(request, "hub"), await fields(request)
    return await _published(request, o, given, "reopen", {}, "reopen")


async def told(request: Request) -> Response:
    """Record what an organization said, for it."""
    o, given = await opened(request, "hub"), await fields(request)
    hop = next((h for h in o.view["hops"] if str(h["hop"]) == request.path_params["hop"]), None)
    if hop is None:
        raise not_found()
    asked = hop["status"] == "requested"
    if errors := hub_answers.wrong(o.show, given, outcome=not asked):
        return await hub.chooser(request, o, given, form(given, errors), 422)
    if not hub_answers.known(given["answer"]):
        return hub.conflict(request, o)
    action, said = hub_answers.said(given)
    by = (str(hop["organization"]), hub_answers.channel(given))
    return await _published(request, o, given, action, said | {"hop": str(hop["hop"])}, "told", by)


async def _published(
    request: Request,
    o: Opened,
    given: dict[str, str],
    action: str,
    said: dict[str, Any],
    done: str,
    by: tuple[str, str] | None = None,
) -> Response:
    if given.get("version") != str(o.view["version"]):
        return hub.conflict(request, o)

    def record(who: Said) -> Record:
        who = who._replace(on_behalf_of=by[0], channel=by[1]) if by else who
        return envelope.responded(who, o.seen.state.id, action, version=o.view["version"], **said)

    ending = await ask(request, record)
    metrics.RESPONDED.labels(action).inc()
    if ending.kind == "conflict":
        return hub.conflict(request, await opened(request, "hub"))
    if ending.kind == "invalid":
        general = o.show.text("problem.invalid", detail=ending.detail)
        return await hub.chooser(request, o, given, form(given, {}, general), 422)
    return go(f"{hub.BASE}/{o.view['id']}", done if ending.kind == "done" else "pending")
