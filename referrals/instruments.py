"""The screening instruments as reviewed tables: LOINC questions and answers, and which answer means a need.

Comes in: referrals/data/screening/*.json. Goes out: look-ups. Must never hold the words of a question.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """One question: answer -> result (or points of a sum); `each` = a list to choose from, answer -> domain."""

    label: str
    domain: str | None
    answers: Mapping[str, str | int]
    also: Mapping[str, tuple[str, ...]] = {}
    each: Mapping[str, str] = {}
    verified: bool = True


class Sum(Struct, frozen=True, forbid_unknown_fields=True):
    """Questions that count together; `total` is the code of the sum itself."""

    domain: str
    at_least: int
    of: tuple[str, ...]
    total: str


class Instrument(Struct, frozen=True, forbid_unknown_fields=True):
    """One table with its source; `verified` says whether the codes were checked against it."""

    id: str
    title: str
    codes: tuple[str, ...]
    source: str
    verified: bool
    questions: Mapping[str, Question]
    sums: Mapping[str, Sum] = {}


@cache
def instruments() -> dict[str, Instrument]:
    """Every instrument by id."""
    folder = resources.files("referrals").joinpath("data", "screening")
    found = [msgspec.json.decode(path.read_bytes(), type=Instrument) for path in folder.iterdir()]
    return {one.id: one for one in sorted(found, key=lambda one: one.id)}


def questions(code: str, instrument: str | None) -> list[Question]:
    """What is known of a question, the named instrument's table first: the same code may have other answers there."""
    first = [one for one in instruments().values() if one.id == instrument]
    others = [one for one in instruments().values() if one.id != instrument]
    return [one.questions[code] for one in (*first, *others) if code in one.questions]


def named(body: Mapping[str, Any]) -> str | None:
    """The instrument a record names in `instrument`, `questionnaire` or `code`, None when it names none of ours."""
    said = "".join(str(body.get(name) or "") for name in ("instrument", "questionnaire", "code"))[:2000]
    plain = "".join(c for c in said.casefold() if c.isalnum())
    for one in instruments().values():
        names = (one.id, one.title, *one.codes)
        if any("".join(c for c in name.casefold() if c.isalnum()) in plain for name in names):
            return one.id
    return None
