"""The FHIR R4 door: a Bundle becomes submissions, a Task tells a referral's status.

Comes in: FHIR JSON of the Gravity shape. Goes out: a response Bundle, a Task, a CapabilityStatement. Must never
answer anything but FHIR, nor say more of a referral than its status.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, events, views
from api.context import context, principal_of
from api.outcomes import refused
from api.problems import not_found
from api.referrals import found
from api.submitting import publish_submissions
from infra.postgres import queries
from producers import fhir
from producers.fhir.labels import marked
from referrals.vocabulary import maps

SQL = queries("api", "fhir.sql")
MEDIA = "application/fhir+json"


async def bundle(request: Request) -> Response:
    """Submit the referrals of a transaction, batch or collection Bundle: all or none."""
    body = await bodies.read(request)
    async with context(request).database.reading(principal_of(request)) as connection:
        rows = await connection.fetch(SQL["organizations"])
    cbos = [r["id"] for r in rows if r["type"] == "cbo"]
    payers = [r["id"] for r in rows if r["type"] == "mco"]
    bodies.decode(body, request.headers.get("content-type", ""))
    try:
        referrals = fhir.submissions(body, datetime.now(UTC), cbos=cbos, payers=payers)
    except fhir.FhirProblem as problem:
        return _answer(fhir.operation_outcome(problem.issues), 422)
    asked = await events.ask(request, body)
    if asked.outcome is not None and not asked.outcome.effective:
        raise refused(asked.outcome, None)
    items = await publish_submissions(request, asked, [r.submission for r in referrals], "fhir")
    return _answer(fhir.response_bundle(body, [item.id for item in items]), 202)


async def task(request: Request) -> Response:
    """A referral's status as a minimal Task."""
    seen = await found(request)
    view = views.referral(principal_of(request), seen)
    if view is None:
        raise not_found()
    status = str(view["status"])
    shown: dict[str, Any] = {
        "resourceType": "Task",
        "id": str(seen.state.id),
        "meta": {"versionId": str(view["version"]), "lastUpdated": view["updated_at"]},
        "status": task_status(status),
        "businessStatus": {"text": status},
        "intent": "order",
        "priority": view["priority"],
        "focus": {"reference": f"ServiceRequest/{seen.state.id}"},
        "authoredOn": view["created_at"],
        "lastModified": view["updated_at"],
    }
    if view["hops"]:
        shown["owner"] = {"identifier": {"value": view["hops"][-1]["organization"]}}
    return _answer(marked(shown, view["sensitivity"]), 200, {"ETag": f'W/"{view["version"]}"'})


def task_status(status: str) -> str:
    """FHIR's word for a status of ours (referrals/data/maps/fhir.json)."""
    return maps()["fhir"].theirs(status)["Task.status"]


async def capability_statement(request: Request) -> Response:
    """What this FHIR door does."""
    base = context(request).settings.base_url
    statement = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-01",
        "kind": "instance",
        "implementation": {"description": "Referral Exchange", "url": f"{base}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "SMART Backend Services; see .well-known/smart-configuration"},
                "resource": [{"type": "Task", "interaction": [{"code": "read"}]}],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }
    return _answer(statement, 200)


def _answer(body: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, MEDIA)
