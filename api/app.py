"""The route table, one line a route, and `build(settings)`: the ASGI application with what it opens and closes.

Comes in: settings. Goes out: a Starlette application. Must never serve a route that declares nothing, nor refuse to
start because Kafka or Postgres is away.
"""

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from api import (
    auth,
    break_glass,
    capacity,
    consents,
    directory,
    disclosures,
    fhir,
    mail,
    measures,
    metrics,
    oauth,
    oidc,
    operations,
    persons,
    referrals,
    responses,
    sessions,
    stream,
    submitting,
)
from api.context import Context, Sender
from api.database import Database, DatabaseAway
from api.guard import PageProblem, as_problem, guarded, respond
from api.middleware import Frame
from api.routing import ANYONE, EVERYONE, OPERATOR, RECIPIENTS, SENDERS, TOLD, Route, validate
from infra import kafka
from infra.settings import Settings
from producers.producer import RecordProducer

HUB, PLAN = frozenset({"hub"}), frozenset({"mco"})
CONSENTERS = SENDERS | HUB
ACCOUNTABLE = SENDERS | HUB | frozenset({"operator"})
PURGE_S = 60.0
KEEP_KEYS, KEEP_LINKS = timedelta(days=31), timedelta(days=1)

# method, path, handler, action (policy.ACTIONS), principals, door
ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/referrals", submitting.submit, "submit", SENDERS),
    Route("GET", "/v1/referrals", referrals.index, "read", EVERYONE),
    Route("GET", "/v1/referrals/{id}", referrals.show, "read", EVERYONE),
    Route("PATCH", "/v1/referrals/{id}", submitting.amend, "amend", SENDERS),
    Route("POST", "/v1/referrals/{id}/cancel", submitting.cancel, "cancel", SENDERS),
    Route("GET", "/v1/referrals/{id}/events", referrals.history, "read", EVERYONE),
    Route("GET", "/v1/referrals/{id}/routing", referrals.routing, "explain", EVERYONE),
    Route("POST", "/v1/referrals/{id}/responses", responses.respond, "respond", RECIPIENTS | HUB),
    Route("POST", "/v1/referrals/{id}/assign", responses.assign, "assign", HUB),
    Route("POST", "/v1/referrals/{id}/authorization", responses.authorize, "authorize", PLAN),
    Route("GET", "/v1/organizations", directory.organizations, "directory", EVERYONE),
    Route("GET", "/v1/services", directory.services, "directory", EVERYONE),
    Route("PUT", "/v1/services/{id}/capacity", capacity.change, "capacity", RECIPIENTS),
    Route("PUT", "/v1/consents/{id}", consents.put, "consent", CONSENTERS),
    Route("POST", "/v1/consents/{id}/revoke", consents.revoke, "revoke", CONSENTERS),
    Route("GET", "/v1/persons/links", persons.index, "links", HUB),
    Route("POST", "/v1/persons/links/{id}/confirm", persons.confirm, "link", HUB),
    Route("POST", "/v1/persons/links/{id}/reject", persons.reject, "link", HUB),
    Route("GET", "/v1/persons/{id}/disclosures", disclosures.index, "disclosures", ACCOUNTABLE),
    Route("GET", "/v1/persons/{id}/disclosures.csv", disclosures.index_csv, "disclosures", ACCOUNTABLE),
    Route("GET", "/v1/break-glass", break_glass.index, "openings", TOLD),
    Route("POST", "/v1/break-glass", break_glass.begin, "open", OPERATOR),
    Route("GET", "/v1/break-glass/{id}", break_glass.look, "look", OPERATOR),
    Route("DELETE", "/v1/break-glass/{id}", break_glass.end, "end", OPERATOR),
    Route("POST", "/v1/screenings", consents.screen, "screen", SENDERS),
    Route("GET", "/v1/contracts/{id}/measures", measures.index, "measure", EVERYONE),
    Route("GET", "/v1/contracts/{id}/measures.csv", measures.index_csv, "measure", EVERYONE),
    Route("GET", "/v1/contracts/{id}/measures/{measure}/referrals", measures.listed, "measured", EVERYONE),
    Route(
        "GET", "/v1/contracts/{id}/measures/{measure}/referrals.csv", measures.list_csv, "measured", EVERYONE
    ),
    Route("GET", "/v1/me", operations.me, "me", EVERYONE),
    Route("GET", "/v1/events/stream", stream.stream, "stream", EVERYONE),
    Route("POST", "/fhir", fhir.bundle, "submit", SENDERS, "fhir"),
    Route("GET", "/fhir/metadata", fhir.capability_statement, "public", ANYONE, "fhir"),
    Route("GET", "/fhir/Task/{id}", fhir.task, "read", EVERYONE, "fhir"),
    Route("POST", "/oauth/token", oauth.token, "public", ANYONE),
    Route("GET", "/.well-known/smart-configuration", oauth.smart_configuration, "public", ANYONE),
    Route("GET", "/fhir/.well-known/smart-configuration", oauth.smart_configuration, "public", ANYONE),
    Route("GET", "/.well-known/refex-intake-key", operations.intake_key, "public", ANYONE),
    Route("GET", "/livez", operations.livez, "public", ANYONE),
    Route("GET", "/readyz", operations.readyz, "public", ANYONE),
    Route("GET", "/metrics", operations.prometheus, "metrics", ANYONE),
    Route("GET", "/version", operations.version, "public", ANYONE),
    Route("GET", "/openapi.json", operations.openapi_json, "public", ANYONE),
    Route("GET", "/asyncapi.yaml", operations.asyncapi_yaml, "public", ANYONE),
    Route("GET", "/docs", operations.docs, "public", ANYONE),
)


def routes() -> tuple[tuple[Route, ...], PageProblem | None]:
    """Every declared route, the pages' among them, and how pages write problems (`api.pages.problem`)."""
    pages = importlib.import_module("api.pages")
    return (*ROUTES, *getattr(pages, "ROUTES", ())), getattr(pages, "problem", None)


def build(settings: Settings, producer: Sender | None = None) -> Starlette:
    """The application; `producer` replaces Kafka in tests. Raises UndeclaredRoute, or ValueError for a setting."""
    if not settings.database_url:
        raise ValueError("no database is configured; set REFEX_DATABASE_URL, or run `refex up`")
    declared, page_problem = routes()
    validate(declared)
    login = kafka.login(settings)

    async def failed(request: Request, error: Exception) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        fhir_door = request.url.path.startswith("/fhir")
        request.state.door = "fhir" if fhir_door else "page" if wants_page else "json"
        request.state.principal = getattr(request.state, "principal", None)
        return await respond(request, as_problem(error), page_problem)

    app = Starlette(
        routes=[guarded(route, page_problem) for route in declared],
        middleware=[Middleware(Frame)],
        exception_handlers={HTTPException: failed, Exception: failed},
        lifespan=_lifespan(settings, login, producer),
    )
    app.router.redirect_slashes = False
    app.state.routes = ROUTES
    app.state.gauges = metrics.Gauges()
    return app


def _lifespan(
    settings: Settings, login: kafka.KafkaLogin, producer: Sender | None
) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    """What is opened at the start and closed at the end; nothing waits for Kafka or Postgres."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        database = Database(settings.database_url or "")
        await database.open()
        found = Context(settings, database, login, producer or RecordProducer(login))
        app.state.context = found
        tasks = [
            asyncio.create_task(found.changes.run()),
            asyncio.create_task(_purge(database, sessions.idle(settings))),
            asyncio.create_task(found.mail.run()),
            asyncio.create_task(found.intake.run()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await found.audit.close()
            await asyncio.gather(found.producer.close(), database.close(), found.readiness.close())

    return lifespan


async def _purge(database: Database, idle: timedelta) -> None:
    """Every minute: forget what has expired."""
    while True:
        now = datetime.now(UTC)
        with contextlib.suppress(DatabaseAway):
            async with database.own() as connection:
                await connection.execute(auth.SQL["purge_tokens"], now)
                await connection.execute(auth.SQL["purge_assertions"], now)
                await connection.execute(sessions.SQL["purge"], now, now - idle)
                await connection.execute(mail.SQL["purge"], now - KEEP_LINKS)
                await connection.execute(oidc.SQL["purge"], now)
                await connection.execute(auth.SQL["purge_keys"], now - KEEP_KEYS)
        await asyncio.sleep(PURGE_S)
