"""Answers become needs by the tables: each instrument, each dialect, each answer; what is unknown is said."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import envelope
from producers.envelope import Said, seal
from referrals import check, ids, screening
from referrals.commands import RecordFact
from referrals.instruments import instruments
from referrals.screening import RESULTS, screened
from referrals.streams import Stream
from referrals.streams import record as recorded
from referrals.words import table
from stream_processors.decode import Arrival, Poison, Raw, read
from tests.support.referrals import NOW
from tests.support.referrals import envelope as who

LOINC = "http://loinc.org"


def asked(question: str, *codes: str) -> dict[str, Any]:
    return {
        "linkId": f"/x/{question}",
        "answer": [{"valueCoding": {"system": LOINC, "code": c}} for c in codes],
    }


def needs(*items: dict[str, Any], **more: Any) -> dict[str, str]:
    return {n.domain: n.result for n in screened({"item": list(items)} | more).needs}


ANSWERS = [
    (one.id, code, answer, result, question.domain)
    for one in instruments().values()
    for code, question in one.questions.items()
    if question.domain
    for answer, result in question.answers.items()
]


@pytest.mark.parametrize(("instrument", "code", "answer", "result", "domain"), ANSWERS)
def test_every_answer_of_every_table(
    instrument: str, code: str, answer: str, result: str, domain: str
) -> None:
    assert needs(asked(code, answer), instrument=instrument)[domain] == result


def test_the_tables_speak_our_words() -> None:
    for one in instruments().values():
        assert one.source and one.codes
        for question in one.questions.values():
            domains = {
                question.domain,
                *question.each.values(),
                *(d for a in question.also.values() for d in a),
            }
            assert domains - {None} <= table("domains").keys()
            assert {r for r in question.answers.values() if isinstance(r, str)} <= set(RESULTS)
            assert len(question.label) < 40, "a label of our own, not the question"
    assert {*instruments()} == {"ahc-hrsn", "hunger-vital-sign", "prapare"}


HUNGRY, FED = "LA28397-0", "LA28398-8"


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        (HUNGRY, FED, "positive"),
        (FED, HUNGRY, "positive"),
        (FED, FED, "negative"),
        ("LA15775-2", FED, "negative"),
    ],
)
def test_one_positive_answer_of_two_is_a_need(first: str, second: str, result: str) -> None:
    assert needs(asked("88122-7", first), asked("88123-5", second)) == {"food-insecurity": result}


def test_a_place_to_live_is_told_apart_from_being_without() -> None:
    assert needs(asked("71802-3", "LA31994-9")) == {"housing-instability": "positive"}
    assert needs(asked("71802-3", "LA31995-6")) == {
        "housing-instability": "positive",
        "homelessness": "positive",
    }
    assert needs(asked("71802-3", "LA30190-5"), instrument="PRAPARE") == {"homelessness": "positive"}


SAFETY = ("95618-5", "95617-7", "95616-9", "95615-1")


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        (("LA6270-8",) * 4, "negative"),
        (("LA10082-8", "LA10082-8", "LA10082-8", "LA6270-8"), "negative"),
        (("LA10082-8", "LA10082-8", "LA10082-8", "LA10066-1"), "positive"),
        (("LA6482-9", "LA6482-9", "LA6270-8"), "positive"),
        (("LA6270-8", "LA6270-8"), "unanswered"),
    ],
)
def test_safety_is_a_sum_of_four_from_eleven_on(answers: tuple[str, ...], result: str) -> None:
    items = [asked(code, answer) for code, answer in zip(SAFETY, answers, strict=False)]
    assert needs(*items) == {"intimate-partner-violence": result}


@pytest.mark.parametrize(("total", "result"), [(11, "positive"), (10, "negative")])
def test_the_sum_may_be_sent_alone(total: int, result: str) -> None:
    item = {"linkId": "95614-4", "answer": [{"valueInteger": total}]}
    assert needs(item) == {"intimate-partner-violence": result}


def test_what_is_not_chosen_from_a_list_is_no_need_and_nothing_chosen_is_an_answer() -> None:
    found = needs(asked("93031-3", "LA30125-1", "LA30126-9"))
    assert (found["food-insecurity"], found["material-hardship"]) == ("positive", "positive")
    assert (found["utility-insecurity"], found["digital-access"]) == ("negative", "negative")
    assert set(needs({"linkId": "93031-3"}).values()) == {"negative"}
    assert set(needs(asked("93031-3", "LA30122-8")).values()) == {"unanswered"}


def test_help_may_be_declined_by_an_answer_or_by_the_record() -> None:
    assert needs(asked("96780-2", "LA31983-2")) == {"employment-status": "help-declined"}
    hungry = asked("88122-7", HUNGRY)
    assert needs(hungry, help_declined=["food-insecurity"]) == {"food-insecurity": "help-declined"}


DIALECTS: dict[str, dict[str, Any]] = {
    "FHIR, nested": {"item": [{"linkId": "/a", "item": [asked("88122-7", HUNGRY)]}]},
    "a coded question": {
        "item": [
            {
                "code": {"coding": [{"code": "88122-7"}]},
                "answer": {"valueCodeableConcept": {"coding": [{"code": HUNGRY}]}},
            }
        ]
    },
    "answers as a list": {"answers": [{"question": "88122-7", "answer": HUNGRY}]},
    "answers as an object": {"answers": {"88122-7": HUNGRY}},
    "items with a value": {"items": [{"id": "q-88122-7", "value": HUNGRY}]},
    "stated outright": {"needs": [{"domain": "food-insecurity", "result": "positive"}]},
}


@pytest.mark.parametrize("body", DIALECTS.values(), ids=DIALECTS)
def test_every_dialect(body: dict[str, Any]) -> None:
    assert {n.domain: n.result for n in screened(body).needs} == {"food-insecurity": "positive"}


def test_yes_and_no_may_be_booleans() -> None:
    assert needs({"linkId": "93033-9", "answer": [{"valueBoolean": True}]}) == {
        "housing-instability": "positive"
    }
    assert needs({"linkId": "93033-9", "answer": [{"valueBoolean": False}]}) == {
        "housing-instability": "negative"
    }


@pytest.mark.parametrize(
    ("body", "instrument"),
    [
        (
            {
                "questionnaire": "http://hl7.org/fhir/us/sdoh-clinicalcare/Questionnaire/SDOHCC-QuestionnairePRAPARE"
            },
            "prapare",
        ),
        ({"instrument": "AHC-HRSN"}, "ahc-hrsn"),
        ({"questionnaire": f"{LOINC}/q/88121-9"}, "hunger-vital-sign"),
        ({"item": [asked("93038-8", "LA13914-9")]}, "prapare"),
        ({"item": [asked("96779-4", "LA33-6")]}, "ahc-hrsn"),
        ({"instrument": "our own form"}, None),
        ({}, None),
    ],
)
def test_the_instrument_is_named_or_known_by_its_questions(
    body: dict[str, Any], instrument: str | None
) -> None:
    assert screened(body).instrument == instrument


def test_what_no_table_knows_is_said_without_its_words() -> None:
    own = {"linkId": "q1", "answer": [{"valueString": "my husband beats me"}]}
    found = screened({"item": [own, asked("88122-7", "LA99999-9"), asked("12345-6", HUNGRY)]})
    assert [(u.question, u.answer) for u in found.unknown] == [
        ("q1", None),
        ("88122-7", "LA99999-9"),
        ("12345-6", None),
    ]
    words = screened({"item": [{"linkId": "88122-7", "answer": "often, I am afraid"}]})
    assert [u.answer for u in words.unknown] == ["text"] and not words.needs


WRONG: list[tuple[Any, str]] = [
    ([], ""),
    ({"item": "none"}, "/item"),
    ({"item": ["none"]}, "/item/0"),
    ({"item": [{"linkId": "x", "item": {}}]}, "/item/0/item"),
    ({"item": [{"linkId": "x"}] * 1001}, "/item"),
    ({"needs": {}, "answers": []}, ""),
    ({"needs": [{"domain": "money", "result": "positive"}]}, "/needs/0/domain"),
    ({"needs": [{"domain": "food-insecurity", "result": "maybe"}]}, "/needs/0/result"),
    ({"needs": "food"}, "/needs"),
    ({"help_declined": ["food"]}, "/help_declined/0"),
    ({"help_declined": "food-insecurity"}, "/help_declined"),
]


@pytest.mark.parametrize(("body", "pointer"), [w for w in WRONG if w[1] or w[0] == []])
def test_what_cannot_be_read_is_said_with_its_place(body: Any, pointer: str) -> None:
    with pytest.raises(check.Invalid) as raised:
        screened(body)
    assert raised.value.problems[0].pointer == pointer and raised.value.problems[0].detail


anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["88122-7", "93031-3", HUNGRY, "LA30125-1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "item",
                    "answers",
                    "linkId",
                    "answer",
                    "code",
                    "valueCoding",
                    "needs",
                    "coding",
                    "valueInteger",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(anything)
def test_whatever_is_sent_is_read_or_refused(body: Any) -> None:
    try:
        found = screened(body)
    except check.Invalid as error:
        assert error.problems
        return
    assert {n.result for n in found.needs} <= set(RESULTS)
    assert len({n.domain for n in found.needs}) == len(found.needs)


def test_the_fact_holds_what_is_not_sensitive_and_counts_the_rest() -> None:
    body = {"item": [asked("88122-7", FED), asked("76501-6", "LA33-6")]}
    said = Said(ids.event_id("clinic", "s"), "clinic", NOW)
    stream, person = ids.event_id("clinic", "S-1"), ids.person_key("clinic", "P-1")
    made = envelope.screened(said, stream, person, json.dumps(body).encode())
    arrival = read(Raw(made.topic, 0, 0, made.key, made.value, NOW))
    assert isinstance(arrival, Arrival) and isinstance(arrival.command, RecordFact)
    data = arrival.command.data
    assert data["needs"] == [{"domain": "food-insecurity", "result": "negative", "questions": ["88122-7"]}]
    assert (data["withheld"], data["person_key"]) == (1, str(person)) and "violence" not in str(data)
    bad = envelope.screened(said, stream, person, b'{"item": "none"}')
    poison = read(Raw(bad.topic, 0, 0, bad.key, bad.value, NOW))
    assert isinstance(poison, Poison) and "/item" in poison.detail


def test_the_same_screening_again_has_no_effect_and_a_corrected_one_is_a_new_version() -> None:
    made = RecordFact(
        screening.KIND, ids.event_id("clinic", "S-1"), "screening-recorded", {"needs": []}, seal(b"a")
    )
    before = Stream("clinic", 1, made.type, made.data, made.sealed)
    assert recorded(None, made, who("clinic")) == made
    assert recorded(before, made, who("clinic")) is None
    changed = RecordFact(made.kind, made.stream_id, made.type, made.data, seal(b"b"))
    assert recorded(before, changed, who("clinic")) == changed
