"""The contract as it stands is sound, and each way of breaking it is found."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from avro_schemas import compatibility
from avro_schemas.compatibility import Contract, fingerprint, incompatible, problems, release

CONTRACT = compatibility.load()
ANSWER = "response_given.v1"


def test_the_contract_is_sound() -> None:
    assert problems(CONTRACT) == []
    assert len(CONTRACT.texts) >= 17


def edited(name: str, change: Callable[[dict[str, Any]], object], base: Contract = CONTRACT) -> Contract:
    """The contract with one schema file changed, as an editor would."""
    schema = json.loads(base.texts[name])
    change(schema)
    return base._replace(texts={**base.texts, name: json.dumps(schema)})


def with_v2(change: Callable[[dict[str, Any]], object]) -> Contract:
    """The contract with a changed second version of the answer beside the first, pinned."""
    name = ANSWER.replace("v1", "v2")
    texts = {**CONTRACT.texts, name: CONTRACT.texts[ANSWER]}
    longer = edited(name, change, CONTRACT._replace(texts=texts))
    longer = longer._replace(ids={**CONTRACT.ids, name: max(CONTRACT.ids.values()) + 1})
    return longer._replace(released=release(longer))


def added(**field: Any) -> Callable[[dict[str, Any]], object]:
    return lambda schema: schema["fields"].append({"name": "more", "doc": "More.", **field})


def without(field: str) -> Callable[[dict[str, Any]], object]:
    return lambda schema: schema["fields"].remove(next(f for f in schema["fields"] if f["name"] == field))


def retyped(field: str, kind: Any) -> Callable[[dict[str, Any]], object]:
    return lambda schema: next(f for f in schema["fields"] if f["name"] == field).update(type=kind)


@pytest.mark.parametrize(
    "change",
    [added(type="string", default=""), without("reason"), lambda schema: None],
    ids=["a field with a default", "an optional field left out", "nothing"],
)
def test_a_second_version_may(change: Callable[[dict[str, Any]], object]) -> None:
    assert problems(with_v2(change)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (added(type="string"), "v2 cannot read response_given.v1"),
        (without("action"), "v1 cannot read response_given.v2"),
        (retyped("version", "long"), "v1 cannot read response_given.v2"),
        (retyped("action", "int"), "v2 cannot read response_given.v1"),
    ],
    ids=["a field without a default", "a required field left out", "a wider number", "another type"],
)
def test_a_second_version_may_not(change: Callable[[dict[str, Any]], object], said: str) -> None:
    assert any(said in problem for problem in problems(with_v2(change)))


def test_every_pair_of_versions_is_compared_not_only_neighbours() -> None:
    first, second, third = (f"answer.v{n}" for n in (1, 2, 3))
    base = {"type": "record", "name": "Answer", "fields": [{"name": "a", "type": "string", "doc": "A."}]}
    note = {"name": "note", "type": "string", "default": "", "doc": "N."}
    number = {"name": "note", "type": "int", "default": 0, "doc": "N."}
    texts = {
        first: json.dumps(base | {"fields": [*base["fields"], note]}),
        second: json.dumps(base),
        third: json.dumps(base | {"fields": [*base["fields"], number]}),
    }
    contract = Contract(texts, {first: 1, second: 2, third: 3}, {})
    found = problems(contract._replace(released=release(contract)))
    assert [p.split(":")[0] for p in found] == [
        f"{first} cannot read {third}",
        f"{third} cannot read {first}",
    ]


@pytest.mark.parametrize(
    "kind",
    [
        ["null", "string"],
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "array", "items": "string"}},
        {"type": "map", "values": "string"},
        {"type": "record", "name": "Inner", "fields": []},
        {"type": "array", "items": "org.referralexchange.v1.ResponseGiven"},
        "null",
    ],
    ids=["union", "zero-byte items", "nested array", "map", "nested record", "recursion", "null"],
)
def test_a_schema_that_is_not_flat_is_found(kind: Any) -> None:
    found = problems(with_v2(added(type=kind, default="")))
    assert any("field more has type" in problem for problem in found)


@pytest.mark.parametrize(
    "change",
    [added(type="string", default=""), lambda s: s.update(doc="Another."), retyped("version", "long")],
    ids=["field added", "words changed", "type changed"],
)
def test_a_released_file_is_never_edited(change: Callable[[dict[str, Any]], object]) -> None:
    broken = edited(ANSWER, change)
    assert any("edited after its release" in problem for problem in problems(broken))
    assert release(broken) == CONTRACT.released, "the release command must not move a pin"


def test_white_space_is_no_edit() -> None:
    assert problems(edited(ANSWER, lambda schema: None)) == []
    assert fingerprint('{"a": [1, 2]}') == fingerprint('{\n"a":[1,2]\n}') != fingerprint('{"a": [2, 1]}')


def test_a_released_schema_is_never_removed() -> None:
    texts = {name: text for name, text in CONTRACT.texts.items() if name != ANSWER}
    numbers = {name: number for name, number in CONTRACT.ids.items() if name != ANSWER}
    assert any("is gone" in p for p in problems(CONTRACT._replace(texts=texts, ids=numbers)))


def test_ids_are_only_appended() -> None:
    swapped = {**CONTRACT.ids, ANSWER: CONTRACT.ids["coverage_spell.v1"], "coverage_spell.v1": 6}
    for numbers in (swapped, {**CONTRACT.ids, ANSWER: 99}, {"new.v1": 1, **CONTRACT.ids}):
        assert problems(CONTRACT._replace(ids=numbers))


def test_a_file_without_an_id_or_a_pin_is_found() -> None:
    texts = {**CONTRACT.texts, "thing_said.v1": CONTRACT.texts[ANSWER].replace("ResponseGiven", "ThingSaid")}
    found = problems(CONTRACT._replace(texts=texts))
    assert any("no id in ids.json" in problem for problem in found)
    assert any("is not pinned" in problem for problem in found)


def test_a_record_is_called_like_its_file() -> None:
    assert any(
        "must be called ResponseGiven" in p
        for p in problems(edited(ANSWER, lambda s: s.update(name="Other")))
    )


def test_promotion_works_one_way_alone() -> None:
    narrow, wide = (
        json.dumps({"type": "record", "name": "R", "fields": [{"name": "n", "type": kind}]})
        for kind in ("int", "long")
    )
    assert incompatible(wide, narrow) == []
    assert incompatible(narrow, wide)
