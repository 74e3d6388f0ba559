"""The pages' part of the route table, one line a route: method, path, handler, action, who may call it.

Must never hold a handler, nor a page that somebody may see whom its line does not name.
"""

from api.pages import (
    account,
    cbo,
    clinic,
    clinic_new,
    disclosed,
    entry,
    front,
    hub,
    hub_acts,
    hub_links,
    mco,
    opened,
    people,
    provider,
    room,
    watch,
)
from api.routing import ANYONE, EVERYONE, OPERATOR, RECIPIENTS, SENDERS, TOLD, Handler, Route

MANAGED = EVERYONE - {"state", "operator"}
PLAN, HUB, STATE = (frozenset({t}) for t in ("mco", "hub", "state"))


def _page(method: str, path: str, handler: Handler, action: str, principals: frozenset[str]) -> Route:
    return Route(method, path, handler, action, principals, "page")


ROUTES: tuple[Route, ...] = (
    _page("GET", "/", front.home, "page", ANYONE),
    _page("GET", "/login", entry.form_page, "page", ANYONE),
    _page("POST", "/login", entry.log_in, "log-in", ANYONE),
    _page("GET", "/login/link", entry.link_page, "page", ANYONE),
    _page("POST", "/login/link", entry.ask_link, "log-in", ANYONE),
    _page("GET", "/login/link/{token}", entry.opened_link, "page", ANYONE),
    _page("POST", "/login/link/{token}", entry.use_link, "log-in", ANYONE),
    _page("GET", "/login/organization", provider.form_page, "page", ANYONE),
    _page("POST", "/login/organization", provider.find, "log-in", ANYONE),
    _page("GET", "/login/organization/{id}", provider.leave, "log-in", ANYONE),
    _page("GET", "/login/oidc", provider.arrive, "log-in", ANYONE),
    _page("GET", "/login/code", entry.code_page, "page", ANYONE),
    _page("POST", "/login/code", entry.give_code, "log-in", ANYONE),
    _page("POST", "/logout", entry.log_out, "log-out", EVERYONE),
    _page("GET", "/account", account.show, "account", EVERYONE),
    _page("POST", "/account/code", account.enrol, "enrol", OPERATOR),
    _page("POST", "/account/code/confirm", account.confirm, "enrol", OPERATOR),
    _page("GET", "/people", people.index, "people", MANAGED),
    _page("GET", "/people/new", people.form_page, "add-person", MANAGED),
    _page("POST", "/people/new", people.add, "add-person", MANAGED),
    _page("GET", "/people/{id}", people.one, "see-person", MANAGED),
    _page("POST", "/people/{id}/role", people.give_role, "change-person", MANAGED),
    _page("POST", "/people/{id}/shut-out", people.shut_out, "change-person", MANAGED),
    _page("POST", "/people/{id}/let-in", people.let_in, "change-person", MANAGED),
    _page("POST", "/people/{id}/reset", people.reset, "change-person", MANAGED),
    Route("GET", "/language", front.language, "public", ANYONE),
    Route("GET", "/static/{name}", front.asset, "public", ANYONE),
    _page("GET", "/clinic", clinic.index, "read", SENDERS),
    _page("GET", "/clinic/new", clinic_new.form_page, "submit", SENDERS),
    _page("POST", "/clinic/new", clinic_new.submit, "submit", SENDERS),
    _page("GET", "/clinic/referrals/{id}", clinic.one, "read", SENDERS),
    _page("GET", "/clinic/referrals/{id}/cancel", clinic.cancel_form, "cancel", SENDERS),
    _page("POST", "/clinic/referrals/{id}/cancel", clinic.cancel, "cancel", SENDERS),
    _page("GET", "/clinic/referrals/{id}/disclosures", disclosed.by_sender, "disclosures", SENDERS),
    _page("GET", "/cbo", cbo.inbox, "read", RECIPIENTS),
    _page("GET", "/cbo/referrals/{id}", cbo.one, "read", RECIPIENTS),
    _page("GET", "/cbo/referrals/{id}/{action}", cbo.question, "respond", RECIPIENTS),
    _page("POST", "/cbo/referrals/{id}/{action}", cbo.answer, "respond", RECIPIENTS),
    _page("GET", "/cbo/services", room.index, "directory", RECIPIENTS),
    _page("GET", "/cbo/services/{id}", room.one, "directory", RECIPIENTS),
    _page("POST", "/cbo/services/{id}", room.change, "capacity", RECIPIENTS),
    _page("GET", "/mco", mco.plan, "measure", PLAN),
    _page("GET", "/mco/measures/{measure}", mco.behind, "measure", PLAN),
    _page("GET", "/mco/referrals/{id}", mco.one, "read", PLAN),
    _page("GET", "/hub", hub.queue, "read", HUB),
    _page("GET", "/hub/referrals/{id}", hub.one, "read", HUB),
    _page("GET", "/hub/referrals/{id}/disclosures", disclosed.by_hub, "disclosures", HUB),
    _page("POST", "/hub/referrals/{id}/assign", hub.assign, "assign", HUB),
    _page("POST", "/hub/referrals/{id}/close", hub_acts.close, "respond", HUB),
    _page("POST", "/hub/referrals/{id}/reopen", hub_acts.reopen, "respond", HUB),
    _page("POST", "/hub/referrals/{id}/told/{hop}", hub_acts.told, "respond", HUB),
    _page("POST", "/hub/links/{id}/{answer}", hub_links.decide, "link", HUB),
    _page("GET", "/state", watch.state, "measure", STATE),
    _page("GET", "/operator", watch.operator, "read", OPERATOR),
    _page("GET", "/break-glass", opened.index, "openings", TOLD),
    _page("POST", "/break-glass", opened.begin, "open", OPERATOR),
    _page("GET", "/break-glass/{id}", opened.one, "look", OPERATOR),
    _page("POST", "/break-glass/{id}/end", opened.end, "end", OPERATOR),
)
