"""The questions and answers of a QuestionnaireResponse-like record, whatever its dialect; nested items are followed.

Comes in: decoded JSON: `item` (FHIR), `items` or `answers`, as a list or as {question: answer}. Goes out: Answers with
LOINC codes where they are given. Pure; raises check.Invalid for what is no list of answers.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from referrals.check import Invalid, Problem, escaped

MAX_ITEMS = 1000
CODE = re.compile(r"\d{1,7}-\d|LA\d{1,7}-\d")
HARMLESS = re.compile(r"[\w./:#|-]{1,60}")
YES_NO = {True: "LA33-6", False: "LA32-8"}
QUESTION = ("code", "question", "question_code", "linkId", "link_id", "id")
ANSWER = ("answer", "answers", "value", "answer_code", "result")


class Answer(Struct, frozen=True):
    """One question with the codes of its answers; a text stands as `text`, none at all as nothing."""

    question: str
    values: tuple[str, ...] = ()
    number: int | None = None


def answers_of(body: Mapping[str, Any]) -> Iterator[Answer]:
    """Every question that was asked, in order; raises Invalid."""
    for name in ("item", "items", "answers"):
        if (found := body.get(name)) is not None:
            listed = (
                [{"question": k, "answer": v} for k, v in found.items()]
                if isinstance(found, Mapping)
                else found
            )
            left = [MAX_ITEMS]
            yield from _items(f"/{name}", listed, left)


def _items(pointer: str, items: Any, left: list[int]) -> Iterator[Answer]:
    if not isinstance(items, list):
        raise Invalid([Problem(pointer, "send a list of questions with their answers")])
    for index, item in enumerate(items):
        here = f"{pointer}/{escaped(str(index))}"
        left[0] -= 1
        if left[0] < 0:
            raise Invalid([Problem(pointer, f"more than {MAX_ITEMS} questions; send a shorter record")])
        if not isinstance(item, Mapping):
            raise Invalid([Problem(here, "send an object with a question and an answer")])
        inner = item.get("item")
        question = next((q for name in QUESTION if (q := _question(item.get(name)))), "")
        given = next((item[name] for name in ANSWER if item.get(name) is not None), None)
        if question and (given is not None or inner is None):
            values = tuple(_values(given))
            yield Answer(question, values, _number(given))
        if inner is not None:
            yield from _items(f"{here}/item", inner, left)


def _question(value: Any) -> str:
    """A question's LOINC code, else its own short name; empty when there is neither."""
    text = _code(value)
    found = CODE.findall(text)
    return found[-1] if found else text if HARMLESS.fullmatch(text) else "text" if text else ""


def _code(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return next((code for one in value if (code := _code(one))), "")
    if isinstance(value, Mapping):
        coded = value.get("coding")
        return _code(coded) if coded is not None else _code(value.get("code"))
    return ""


def _values(given: Any) -> Iterator[str]:
    for one in given if isinstance(given, list) else [given]:
        if isinstance(one, Mapping):
            inner = next(
                (v for k, v in one.items() if k.startswith("value") or k in ("code", "coding", "answer")),
                None,
            )
            yield from _values(inner)
        elif isinstance(one, bool):
            yield YES_NO[one]
        elif isinstance(one, str):
            yield one if CODE.fullmatch(one) else "text" if one.strip() else ""
        elif one is None and given is None:
            yield ""
        elif isinstance(one, int | float):
            yield "number"


def _number(given: Any) -> int | None:
    one = given[0] if isinstance(given, list) and given else given
    if isinstance(one, Mapping):
        one = next((v for k, v in one.items() if k.startswith("value")), None)
    return int(one) if isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < 1e6 else None
