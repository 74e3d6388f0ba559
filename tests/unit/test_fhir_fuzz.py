"""Whatever JSON is sent to the FHIR door: referrals or a FhirProblem, nothing else."""

import copy
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers import fhir, people
from producers.fhir import FhirProblem

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[2] / "producers" / "examples"
WHOLE = json.loads((EXAMPLES / "referral_bundle.json").read_text(encoding="utf-8"))
BARE = json.loads((EXAMPLES / "bare_service_request.json").read_text(encoding="utf-8"))
PROVISION = {
    "type": "permit",
    "period": {"start": "2026-01-01", "end": "2027"},
    "actor": [{"role": {"coding": [{"code": "IRCP"}]}, "reference": {"reference": "Organization/x"}}],
    "purpose": [{"code": "TREAT"}],
    "securityLabel": [{"code": "ETH"}],
    "provision": [{"type": "deny", "actor": [{"reference": {"display": "y"}}]}],
}
next(e for e in WHOLE["entry"] if e["resource"]["resourceType"] == "Consent")["resource"]["provision"] = (
    PROVISION
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6)
    | st.sampled_from(["Patient/1", "#p1", "urn:uuid:x", "2026", "9999-12-31", "0000", "\x00", "\ud800", "Consent"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["reference", "coding", "code", "value", "system", "resourceType"]), inner),
    max_leaves=6,
)  # fmt: skip


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


def _never_anything_else(body: Any) -> None:
    try:
        found = fhir.submissions(body, NOW, cbos=["x"], payers=people.PAYERS)
    except FhirProblem as problem:
        assert problem.issues
        assert fhir.operation_outcome(problem.issues)["issue"]
    else:
        assert found
        assert fhir.response_bundle(body, [])["entry"]


def _mutated(document: Any, data: st.DataObject) -> Any:
    mutated = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 4))):
        places = _places(mutated)
        if not places:
            break
        container, key = data.draw(st.sampled_from(places))
        if data.draw(st.booleans()):
            container[key] = data.draw(VALUES)
        elif isinstance(container, dict):
            del container[key]
        else:
            container.append(copy.deepcopy(container[key]))
    return mutated


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_a_mutated_bundle_is_read_or_refused(data: st.DataObject) -> None:
    _never_anything_else(_mutated(WHOLE, data))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_mutated_service_request_is_read_or_refused(data: st.DataObject) -> None:
    _never_anything_else(_mutated(BARE, data))


@given(VALUES)
@settings(deadline=None)
def test_any_value_in_place_of_any_field_of_the_request_is_read_or_refused(value: Any) -> None:
    for container, key in _places(BARE):
        kept = container[key]
        container[key] = value
        try:
            _never_anything_else(BARE)
        finally:
            container[key] = kept


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    _never_anything_else(data)


def test_every_prefix_of_the_bytes_is_refused() -> None:
    whole = msgspec.json.encode(BARE)
    for end in range(len(whole) - 1):
        _never_anything_else(whole[:end])


PATIENT = BARE["contained"][0]
REQUEST = BARE | {"contained": [PATIENT]}
TO_BUNDLE = {k: v for k, v in REQUEST.items() if k != "contained"} | {"subject": {"reference": "Patient/p1"}}
MANY = [{"resource": PATIENT}, *({"resource": TO_BUNDLE | {"id": f"s{n}"}} for n in range(100))]
OTHERS: dict[str, dict[str, Any]] = {
    "Consent": {"patient": {"reference": "Patient/p1"}, "status": "active"},
    "Coverage": {"status": "cancelled"},
    "RelatedPerson": {"patient": {"reference": "Patient/p1"}},
    "Task": {"focus": {"reference": "ServiceRequest/s1"}},
}


@pytest.mark.parametrize(
    "body",
    [
        REQUEST | {"contained": [PATIENT, *[{}] * 100_000], "supportingInfo": [{"reference": "#a"}] * 30_000},
        REQUEST | {"subject": {"reference": "A" * 1_000_000}},
        REQUEST | {"category": [1] * 300_000},
        *(
            {
                "resourceType": "Bundle",
                "type": "batch",
                "entry": MANY + [{"resource": {"resourceType": k} | v}] * 1800,
            }
            for k, v in OTHERS.items()
        ),
    ],
    ids=["contained", "long reference", "wrong types", *OTHERS],
)
def test_a_megabyte_made_to_be_slow_is_not(body: Any) -> None:
    began = time.process_time()
    _never_anything_else(body)
    assert time.process_time() - began < 10
