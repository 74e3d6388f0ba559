"""The OpenAPI 3.1 document: made from the route table and the structs that bodies are decoded into.

Comes in: the declared routes. Goes out: one JSON document, the same for the same routes. Must never list by hand what
a route or a struct already says.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from api import policy, shapes
from api.bodies import (
    AssignBody,
    AuthorizationBody,
    CancelBody,
    CapacityBody,
    ConsentBody,
    ResponseBody,
    RevocationBody,
)
from api.break_glass import OpenBody
from api.persons import LinkBody
from api.routing import Route
from infra.scopes import SCOPES
from referrals.submission import Submission

PREFIX = "#/components/schemas/"
REF = PREFIX + "{name}"
# (method, path) -> the struct of its body; a path not named takes any JSON object, a GET none.
BODIES: dict[tuple[str, str], type[Any]] = {
    ("POST", "/v1/referrals"): Submission,
    ("POST", "/v1/referrals/{id}/cancel"): CancelBody,
    ("POST", "/v1/referrals/{id}/responses"): ResponseBody,
    ("POST", "/v1/referrals/{id}/assign"): AssignBody,
    ("POST", "/v1/referrals/{id}/authorization"): AuthorizationBody,
    ("PUT", "/v1/services/{id}/capacity"): CapacityBody,
    ("POST", "/v1/persons/links/{id}/confirm"): LinkBody,
    ("POST", "/v1/persons/links/{id}/reject"): LinkBody,
    ("PUT", "/v1/consents/{id}"): ConsentBody,
    ("POST", "/v1/consents/{id}/revoke"): RevocationBody,
    ("POST", "/v1/break-glass"): OpenBody,
}
# (method, path) -> the struct of its 200.
ANSWERS: dict[tuple[str, str], type[Any]] = {
    ("GET", "/v1/referrals"): shapes.ReferralPage,
    ("GET", "/v1/referrals/{id}"): shapes.Referral,
    ("PATCH", "/v1/referrals/{id}"): shapes.Referral,
    ("POST", "/v1/referrals"): shapes.Referral,
    ("POST", "/v1/referrals/{id}/cancel"): shapes.Referral,
    ("POST", "/v1/referrals/{id}/responses"): shapes.Referral,
    ("POST", "/v1/referrals/{id}/assign"): shapes.Referral,
    ("POST", "/v1/referrals/{id}/authorization"): shapes.Referral,
    ("GET", "/v1/referrals/{id}/events"): shapes.EventPage,
    ("GET", "/v1/referrals/{id}/routing"): shapes.Routing,
    ("GET", "/v1/contracts/{id}/measures"): shapes.Measures,
    ("GET", "/v1/persons/{id}/disclosures"): shapes.DisclosurePage,
    ("GET", "/v1/break-glass"): shapes.OpeningPage,
    ("POST", "/v1/break-glass"): shapes.Opening,
    ("GET", "/v1/break-glass/{id}"): shapes.OpenedView,
    ("DELETE", "/v1/break-glass/{id}"): shapes.Opening,
}
# What answers 201 in place of the 200.
MAKES = frozenset({("POST", "/v1/break-glass")})
PARAMETERS: dict[str, tuple[str, ...]] = {
    "/v1/referrals": ("status", "organization", "updated_after", "limit", "cursor"),
    "/v1/referrals/{id}/events": ("limit", "cursor"),
    "/v1/organizations": ("q", "limit", "cursor"),
    "/v1/services": ("q", "need", "near", "language", "open_now", "limit", "cursor"),
    "/v1/persons/links": ("status", "limit", "cursor"),
    "/v1/persons/{id}/disclosures": ("limit", "cursor"),
    "/v1/break-glass": ("limit", "cursor"),
    "/v1/contracts/{id}/measures": ("from", "to", "as_of"),
    "/v1/contracts/{id}/measures.csv": ("from", "to", "as_of"),
    "/v1/contracts/{id}/measures/{measure}/referrals": ("from", "to", "as_of", "limit", "cursor"),
    "/v1/contracts/{id}/measures/{measure}/referrals.csv": ("from", "to", "as_of"),
}
GRANTS = "/oauth/token"
# RFC 6749 5.2
OAUTH_ERROR = {
    "type": "object",
    "required": ["error", "error_description"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}
PROBLEMS = {
    "400": "Malformed request",
    "401": "No valid token or session",
    "403": "Not permitted",
    "404": "Not there, or not yours",
    "409": "Stale or illegal; the current version is given",
    "413": "More than 1 MiB",
    "422": "Invalid content",
    "429": "Quota exceeded",
    "503": "Kafka or Postgres is away",
}


def document(routes: Iterable[Route], base_url: str, version: str) -> dict[str, Any]:
    """The document of these routes."""
    named: set[type[Any]] = {*BODIES.values(), *ANSWERS.values(), shapes.Problem}
    types = sorted(named, key=lambda t: f"{t.__module__}.{t.__qualname__}")
    _, components = msgspec.json.schema_components(types, ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Referral Exchange", "version": version},
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _security(base_url)},
    }


def _security(base_url: str) -> dict[str, Any]:
    scopes = sorted({scope for held in SCOPES.values() for scope in held})
    flow = {"tokenUrl": f"{base_url}/oauth/token", "scopes": dict.fromkeys(scopes, "")}
    cookie = {"type": "apiKey", "in": "cookie", "name": "__Host-refex-session"}
    return {"oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}}, "session": cookie}


def _secured(scope: str) -> dict[str, list[str]]:
    """By a token with that scope; by a person's session where no system can hold it."""
    if scope and not any(scope in held for held in SCOPES.values()):
        return {"session": []}
    return {"oauth2": [scope] if scope else []}


def _operation(route: Route) -> dict[str, Any]:
    where = (route.method, route.path)
    scope = policy.ACTIONS[route.action].scope
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").strip("_"),
        "summary": (route.handler.__doc__ or "").strip().split("\n")[0],
        "parameters": _parameters(route),
        "responses": {"201" if where in MAKES else "200": _success(ANSWERS.get(where))} | _problems(route),
        "security": [] if route.public else [_secured(scope)],
        "x-principals": sorted(route.principals),
    }
    if route.method != "GET":
        operation["responses"]["202"] = {"description": "Taken; not recorded yet"}
        operation["requestBody"] = {"required": True, "content": {_media(route): {"schema": _body(where)}}}
    return operation


def _media(route: Route) -> str:
    if route.path == GRANTS:
        return "application/x-www-form-urlencoded"
    return "application/fhir+json" if route.door == "fhir" else "application/json"


def _body(where: tuple[str, str]) -> dict[str, Any]:
    named = BODIES.get(where)
    return {"$ref": PREFIX + named.__name__} if named else {"type": "object"}


def _success(type: type[Any] | None) -> dict[str, Any]:
    if type is None:
        return {"description": "Done"}
    return {
        "description": "Done",
        "content": {"application/json": {"schema": {"$ref": PREFIX + type.__name__}}},
    }


def _problems(route: Route) -> dict[str, Any]:
    """What can go wrong, as the route's door says it: problem+json, OperationOutcome, or RFC 6749's words."""
    media = "application/fhir+json" if route.door == "fhir" else "application/problem+json"
    schema = {"type": "object"} if route.door == "fhir" else {"$ref": PREFIX + "Problem"}
    said = {
        status: {"description": text, "content": {media: {"schema": schema}}}
        for status, text in PROBLEMS.items()
        if not (route.public and status in ("401", "403"))
    }
    if route.path == GRANTS:
        refused = {"application/json": {"schema": OAUTH_ERROR}}
        said |= {s: {"description": PROBLEMS[s], "content": refused} for s in ("400", "401")}
    if route.path == "/readyz":
        said["503"] = {
            "description": "Not ready",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    return said


def _parameters(route: Route) -> list[dict[str, Any]]:
    inside = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    query = [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
        for name in (PARAMETERS.get(route.path, ()) if route.method == "GET" else ())
    ]
    header = [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "maxLength": 255},
        }
    ]
    return [*inside, *query, *(header if route.method != "GET" and not route.public else [])]
