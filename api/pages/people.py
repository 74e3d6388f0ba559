"""The page on which an organization's admins manage who logs in for it.

Comes in: requests of an admin behind the guard. Goes out: pages and redirects; a password in clear, once. Must never
take a field that the form does not have, nor say of another organization's person that there is one.
"""

from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from api import cursors, people
from api.context import context, principal_of
from api.pages import people_models
from api.pages.forms import exactly, form, go
from api.pages.render import page, text_of
from api.pages.visit import PAGE, show_for
from api.people import Made, Unwise
from api.problems import not_found
from api.referrals import CANONICAL_ID

BASE = people_models.BASE


async def index(request: Request) -> Response:
    """Everybody of the organization, by name."""
    after = cursors.decode(request.query_params.get("cursor"), UUID)
    rows = await people.listing(request, after, PAGE + 1)
    turning = {"next_href": "", "first_href": BASE if after else ""}
    if len(rows) > PAGE:
        turning["next_href"] = f"{BASE}?{urlencode({'cursor': cursors.encode(rows[PAGE - 1]['id'])})}"
    found = [dict(row) for row in rows[:PAGE]]
    model = people_models.everybody(await show_for(request), found, principal_of(request).user, turning)
    return page(request, "people.html", model)


async def form_page(request: Request) -> Response:
    """The form for somebody new."""
    return await _new(request, {})


async def add(request: Request) -> Response:
    """Add somebody: a link is sent, or the password shown once."""
    given = await exactly(request, "name", "email", "role")
    try:
        made = await people.add(
            request,
            given.get("email", ""),
            given.get("name", ""),
            given.get("role", ""),
            text_of(request).language,
        )
    except Unwise as unwise:
        return await _new(request, given, unwise)
    return await _made(request, made)


async def one(request: Request) -> Response:
    """One person, with what can be changed."""
    return await _one(request, _id(request))


async def give_role(request: Request) -> Response:
    """Give another role."""
    person = _id(request)
    await people.one(request, person)
    given = await exactly(request, "role")
    try:
        await people.set_role(request, person, given.get("role", ""))
    except Unwise as unwise:
        return await _one(request, person, unwise)
    if str(person) == principal_of(request).user:
        return go("/login")  # one's own session has ended with one's own role
    return go(f"{BASE}/{person}", "person-role")


async def shut_out(request: Request) -> Response:
    """Let somebody in no more."""
    person = _id(request)
    await people.one(request, person)
    await exactly(request)
    try:
        await people.shut_out(request, person)
    except Unwise as unwise:
        return await _one(request, person, unwise)
    return go(f"{BASE}/{person}", "person-out")


async def let_in(request: Request) -> Response:
    """Let somebody in again."""
    person = _id(request)
    await people.one(request, person)
    await exactly(request)
    await people.let_in(request, person)
    return go(f"{BASE}/{person}", "person-in")


async def reset(request: Request) -> Response:
    """A new way in: a link is sent, or the password shown once."""
    person = _id(request)
    await people.one(request, person)
    await exactly(request)
    try:
        made = await people.reset(request, person, text_of(request).language)
    except Unwise as unwise:
        return await _one(request, person, unwise)
    return await _made(request, made)


async def _made(request: Request, made: Made) -> Response:
    if made.password is None:
        return go(f"{BASE}/{made.id}", "person-invited")
    return page(request, "people_password.html", people_models.password(await show_for(request), made))


async def _new(request: Request, given: dict[str, str], unwise: Unwise | None = None) -> Response:
    show = await show_for(request)
    errors = people_models.errors(show, unwise)
    links = context(request).mail.possible
    model = people_models.new(show, form(given, errors), principal_of(request).type, links)
    return page(request, "people_new.html", model, 422 if unwise else 200)


async def _one(request: Request, person: UUID, unwise: Unwise | None = None) -> Response:
    found = dict(await people.one(request, person))
    show, principal = await show_for(request), principal_of(request)
    errors = people_models.errors(show, unwise)
    made = form({"role": found["role"]}, {k: v for k, v in errors.items() if k}, errors.get("", ""))
    own, links = str(person) == principal.user, context(request).mail.possible
    model = people_models.one(show, found, principal.type, made, own, links)
    status = 200 if unwise is None else 422 if unwise.why == "role" else 409
    return page(request, "people_one.html", model, status)


def _id(request: Request) -> UUID:
    if not CANONICAL_ID.fullmatch(request.path_params["id"]):
        raise not_found()
    return UUID(request.path_params["id"])
