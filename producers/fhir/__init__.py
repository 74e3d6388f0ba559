"""The FHIR door in: a Bundle or a bare ServiceRequest of a clinic becomes canonical submissions.

Comes in: FHIR R4 JSON of the Gravity shape. Goes out: one FhirReferral for each ServiceRequest, in order.
Must never raise anything but FhirProblem, whatever is sent.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from msgspec import Struct

from producers.fhir.answer import operation_outcome, response_bundle
from producers.fhir.bundle import Graph, Resource, read
from producers.fhir.reading import FhirProblem, Issue, Issues
from producers.fhir.request import Context, Parts, parts
from producers.fhir.request import body as canonical
from referrals import check
from referrals.submission import Submission

__all__ = ["FhirProblem", "FhirReferral", "Issue", "operation_outcome", "response_bundle", "submissions"]

MAX_REFERRALS = 100


class FhirReferral(Struct, frozen=True):
    """One referral of a request: the submission, its canonical JSON, and where it was found."""

    submission: Submission
    body: dict[str, Any]
    service_request: str
    task: str | None


def submissions(
    body: bytes | dict[str, Any],
    now: datetime,
    *,
    cbos: Collection[str] = (),
    payers: Collection[str] = (),
) -> list[FhirReferral]:
    """The referrals of a request, all or none; `cbos` and `payers` are organization ids of this exchange.

    Raises FhirProblem. A Task.owner outside `cbos` means: route automatically.
    """
    issues = Issues()
    context = Context(read(body, issues), now, cbos, payers)
    found = _referrals(context)
    issues.stop_if_any()
    bodies = [canonical(context, of) for of in found]
    _note_repeated_ids(found, bodies, issues)
    issues.stop_if_any()
    made = [_checked(of, one, now, issues) for of, one in zip(found, bodies, strict=True)]
    issues.stop_if_any()
    return [referral for referral in made if referral is not None]


def _referrals(context: Context) -> list[Parts]:
    graph = context.graph
    requests = graph.all("ServiceRequest")
    if not requests or len(requests) > MAX_REFERRALS:
        graph.issues.add("Bundle.entry", f"send 1 to {MAX_REFERRALS} ServiceRequests", "required")
        return []
    tasks = _tasks_by_focus(graph)
    found = [parts(context, request, tasks.get(id(request.value))) for request in requests]
    return [of for of in found if of is not None]


def _note_repeated_ids(found: list[Parts], bodies: list[dict[str, Any]], issues: Issues) -> None:
    seen: set[str] = set()
    for of, one in zip(found, bodies, strict=True):
        name = str(one.get("sender_referral_id"))
        if name in seen:
            issues.add(f"{of.request.path}.identifier", "is used twice; give each its own", "duplicate")
        seen.add(name)


def _tasks_by_focus(graph: Graph) -> dict[int, Resource]:
    """The first Task that focuses on each ServiceRequest; a focus outside the request is an issue."""
    tasks: dict[int, Resource] = {}
    for task in graph.all("Task"):
        if focus := graph.need(task, "focus", "the ServiceRequest"):
            tasks.setdefault(id(focus.value), task)
    return tasks


# Where a field of the canonical body came from, longest pointer first: (pointer, part, FHIRPath below it).
ORIGINS = (
    ("/person/given_name", "patient", ".name.given"),
    ("/person/family_name", "patient", ".name.family"),
    ("/person/birth_date", "patient", ".birthDate"),
    ("/person/person_id", "patient", ".identifier"),
    ("/person", "patient", ""),
    ("/consent/date", "consent", ".dateTime"),
    ("/consent/expires_at", "consent", ".provision.period.end"),
    ("/consent/id", "consent", ".identifier"),
    ("/consent", "consent", ""),
    ("/sender_referral_id", "request", ".identifier"),
    ("/case_id", "request", ".requisition"),
    ("/requested_at", "task", ".authoredOn"),
    ("/priority", "task", ".priority"),
    ("/need/domain", "request", ".category"),
    ("/need/code", "request", ".code"),
    ("/need/note", "request", ".note"),
)


def _checked(of: Parts, one: dict[str, Any], now: datetime, issues: Issues) -> FhirReferral | None:
    try:
        made = check.submission(one, now)
    except check.Invalid as invalid:
        for problem in invalid.problems:
            issues.add(_expression(of, problem.pointer), problem.detail)
        return None
    task = of.task.path if of.task else None
    return FhirReferral(made, one, of.request.path, task)


def _expression(of: Parts, pointer: str) -> str:
    """The FHIRPath of what a pointer into the canonical body was made from."""
    for prefix, part, below in ORIGINS:
        if pointer.startswith(prefix):
            resource: Resource = getattr(of, part) or of.request
            return f"{resource.path}{below}"
    return of.request.path
