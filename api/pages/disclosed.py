"""Who was shown what of a person: the accounting of disclosures as a page, from one of the person's referrals.

Comes in: requests of the sender or of the hub that reviews it, behind the guard. Goes out: a page. Must never read
another person's, nor what the caller may not know.
"""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from api import cursors
from api.context import context, principal_of
from api.disclosures import Position, asking, of_person, said_of
from api.pages import clinic_models, hub_models, when
from api.pages.render import page
from api.pages.show import Model, Show, View
from api.pages.visit import PAGE, opened, turned

HEADINGS = ("when", "who", "what", "why", "under")


async def by_sender(request: Request) -> Response:
    """What its sender has to account for."""
    return await _page(request, "sender", clinic_models.BASE)


async def by_hub(request: Request) -> Response:
    """The same for the hub, of the referrals that it reviews."""
    return await _page(request, "hub", hub_models.BASE)


async def _page(request: Request, kind: str, base: str) -> Response:
    o = await opened(request, kind)
    position = cursors.decode(request.query_params.get("cursor"), Position)
    async with context(request).database.reading(principal_of(request)) as connection:
        found, end = await of_person(connection, asking(request), o.seen.state.person_key, position, PAGE)
    export = f"/v1/persons/{o.seen.state.person_key}/disclosures.csv"
    return page(
        request, "disclosures.html", model(o.show, o.view, found, base, export) | turned(request, end)
    )


def model(show: Show, referral: View, found: Iterable[View], base: str, export: str) -> Model:
    """The table, newest first; `export` is the address of all of it as CSV."""
    return {
        "title": show.text("disclosed.heading"),
        "back": {"href": f"{base}/{referral['id']}", "label": show.text("disclosed.back")},
        "csv_href": export,
        "headings": [show.text(f"disclosed.{name}") for name in HEADINGS],
        "rows": [_row(show, one) for one in found],
        **show.beside(referral),
    }


def _row(show: Show, one: View) -> list[str]:
    at = when.moment(show.text, one["at"], show.now)
    what = said_of(str(one["what"] or ""))
    shown = show.text(f"shown.{what}") if show.text.knows("shown", what) else what
    under = ", ".join(str(v) for v in (one["under"], one["rule"]) if v)
    return [
        at["absolute"] if at else "",
        show.organization(one["recipient"]),
        shown,
        str(one["why"] or ""),
        under,
    ]
