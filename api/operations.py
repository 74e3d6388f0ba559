"""For whoever runs or meets the exchange: liveness, readiness, metrics, version, documents, who am I.

Comes in: probes and readers. Goes out: short answers without personal data. Liveness must never touch anything.
"""

import base64
import html
import importlib
import importlib.metadata
import ipaddress
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import metrics, openapi
from api.bodies import answer
from api.context import context, principal_of
from api.problems import Problem
from infra.reachable import OK

NAME = "referral-exchange"
ALGORITHM = "X25519-HKDF-SHA256-AES256GCM"


async def livez(request: Request) -> Response:
    """The process answers."""
    return answer({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Postgres and Kafka can be reached and the migrations are current; 503 says which is not."""
    checks = await context(request).readiness.checks()
    ready = all(text == OK for text in checks.values())
    headers = {} if ready else {"Retry-After": "2"}
    return answer(
        {"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503, headers
    )


async def prometheus(request: Request) -> Response:
    """Metrics: open on loopback, elsewhere with the operator's token."""
    principal = request.state.principal
    if not _on_loopback(request) and (principal is None or "operations.read" not in principal.scopes):
        raise Problem("unauthenticated", headers={"WWW-Authenticate": "Bearer"})
    await request.app.state.gauges.refresh(context(request).database)
    return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _on_loopback(request: Request) -> bool:
    server, client = context(request).settings.host, request.client.host if request.client else ""
    return all(_is_loopback(host) for host in (server, client))


def _is_loopback(host: str) -> bool:
    try:
        return host in ("localhost", "testclient") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def version(request: Request) -> Response:
    """What runs here."""
    return answer({"name": NAME, "version": released()})


def released() -> str:
    """The installed version; `0` from a tree that is not installed."""
    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        return "0"


async def me(request: Request) -> Response:
    """Who the caller is to the exchange."""
    p = principal_of(request)
    return answer(
        {
            "organization": {"id": p.organization, "name": p.name, "type": p.type},
            "user": p.user,
            "role": p.role,
            "scopes": sorted(p.scopes),
            "expires_at": p.expires_at,
        }
    )


async def intake_key(request: Request) -> Response:
    """The exchange's key of today, for producers to seal personal data to, and until when."""
    found = context(request).intake.key
    if found is None or found.until < datetime.now(UTC):
        raise Problem("away", "there is no key of today yet; is a worker running? try again")
    return answer(
        {
            "id": found.id.hex(),
            "algorithm": ALGORITHM,
            "public_key": base64.b64encode(found.public).decode(),
            "use_until": found.until,
        }
    )


async def openapi_json(request: Request) -> Response:
    """This API as OpenAPI 3.1."""
    return answer(document(request))


def document(request: Request) -> dict[str, Any]:
    """The OpenAPI document of the application that serves the request."""
    base = context(request).settings.base_url
    return openapi.document(request.app.state.routes, base, released())


async def asyncapi_yaml(request: Request) -> Response:
    """The topics and schemas as AsyncAPI 3.0."""
    try:
        text: str = importlib.import_module("avro_schemas.asyncapi").document()
    except ImportError:
        raise Problem("not-implemented") from None
    return Response(text, media_type="application/yaml")


async def docs(request: Request) -> Response:
    """The OpenAPI document as a plain page."""
    rows = []
    for path, methods in document(request)["paths"].items():
        for method, operation in methods.items():
            cells = (method.upper(), path, operation["summary"], ", ".join(operation["x-principals"]))
            rows.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>")
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Referral Exchange API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>'
        "<h1>Referral Exchange API</h1>"
        '<p>Machine-readable: <a href="/openapi.json">OpenAPI</a>, <a href="/asyncapi.yaml">AsyncAPI</a>, '
        '<a href="/.well-known/smart-configuration">SMART configuration</a>.</p>'
        "<table><thead><tr><th>Method</th><th>Path</th><th>What</th><th>Who</th></tr></thead><tbody>"
        + "".join(rows)
        + "</tbody></table></body></html>"
    )
    return Response(body, media_type="text/html; charset=utf-8")


def encoded(value: Any) -> bytes:
    """JSON of a document, for the command line."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2)
