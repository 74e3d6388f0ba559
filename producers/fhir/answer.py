"""What a FHIR sender gets back: the response Bundle of an accepted request, or an OperationOutcome.

Comes in: the request as it was sent and the ids of its referrals, or the issues found. Goes out: FHIR JSON.
Must never repeat anything about the person.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from producers.fhir.bundle import Graph, Resource, read
from producers.fhir.reading import Issue, Issues

STATUS = "202 Accepted"


def response_bundle(request: bytes | dict[str, Any], ids: Sequence[UUID]) -> dict[str, Any]:
    """One response entry for each request entry; `ids` in the order in which `submissions` gave them.

    A Task entry is at Task/{referral id}; so is a ServiceRequest without one, else at ServiceRequest/{id}.
    """
    graph = read(request, Issues())
    referral = dict(zip((id(r.value) for r in graph.all("ServiceRequest")), ids, strict=False))
    has_task = {id(f.value) for t in graph.all("Task") if (f := graph.find(t, t.child("focus")))}
    entries = [_entry(graph, r, referral, has_task) for r in graph.resources]
    return {
        "resourceType": "Bundle",
        "type": "batch-response" if graph.kind == "batch" else "transaction-response",
        "entry": entries,
    }


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """The issues in FHIR's own words, all of them errors."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": issue.code,
                "diagnostics": issue.diagnostics,
                "expression": [issue.expression],
            }
            for issue in issues
        ],
    }


def _entry(graph: Graph, resource: Resource, referral: dict[int, UUID], has_task: set[int]) -> dict[str, Any]:
    response: dict[str, Any] = {"status": STATUS}
    subject: Resource | None = resource
    kind = "Task"
    if resource.type == "Task":
        subject = graph.find(resource, resource.child("focus"))
    elif resource.type == "ServiceRequest" and id(resource.value) in has_task:
        kind = "ServiceRequest"
    if subject is not None and id(subject.value) in referral:
        response["location"] = f"{kind}/{referral[id(subject.value)]}"
    return {"response": response}
