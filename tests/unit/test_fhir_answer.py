"""What a FHIR sender gets back: a response Bundle, or an OperationOutcome."""

import pytest

from producers import fhir
from producers.fhir import FhirProblem
from tests.unit.fhir_bundles import BARE, ID, OTHER_ID, bundle, read, second_request


def test_the_answer_has_one_entry_for_each_of_the_request() -> None:
    request = bundle(second_request)
    answer = fhir.response_bundle(request, [ID, OTHER_ID])
    assert answer["type"] == "transaction-response"
    kinds = [e["resource"]["resourceType"] for e in request["entry"]]
    places = [e["response"].get("location") for e in answer["entry"]]
    assert {e["response"]["status"] for e in answer["entry"]} == {"202 Accepted"}
    assert [(k, p) for k, p in zip(kinds, places, strict=True) if p] == [
        ("ServiceRequest", f"ServiceRequest/{ID}"),
        ("Task", f"Task/{ID}"),
        ("ServiceRequest", f"Task/{OTHER_ID}"),
    ]


def test_answers_to_a_batch_and_to_a_bare_service_request() -> None:
    assert fhir.response_bundle(bundle(lambda b: b.update(type="batch")), [ID])["type"] == "batch-response"
    answer = fhir.response_bundle(BARE, [ID])
    assert [e["response"]["location"] for e in answer["entry"]] == [f"Task/{ID}"]


def test_issues_become_an_operation_outcome() -> None:
    with pytest.raises(FhirProblem) as caught:
        read({})
    (issue,) = fhir.operation_outcome(caught.value.issues)["issue"]
    assert (issue["severity"], issue["code"], issue["expression"]) == (
        "error",
        "not-supported",
        ["resourceType"],
    )
