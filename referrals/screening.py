"""Screening: the answers of a questionnaire become needs that are positive, negative or help-declined, by data tables.

Comes in: a QuestionnaireResponse-like record as decoded JSON. Goes out: a Screening, one result for each need domain;
what no table knows is named in it, never dropped. Pure; raises check.Invalid where the record cannot be read.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from referrals import commands as c
from referrals.answers import Answer, answers_of
from referrals.check import Invalid, Problem, escaped
from referrals.instruments import Question, Sum, instruments, named, questions
from referrals.words import table

if TYPE_CHECKING:
    from referrals.streams import Stream

KIND = "screening"
RESULTS = ("positive", "help-declined", "negative", "unanswered")
"""In the order in which one outweighs the next, of several answers about the same need."""


class NeedFound(Struct, frozen=True):
    """What a screening says of one need domain, and the questions (LOINC codes) that say so."""

    domain: str
    result: str
    questions: tuple[str, ...] = ()


class Unknown(Struct, frozen=True):
    """A question or an answer that no table knows; free text is not repeated."""

    question: str
    answer: str | None = None


class Screening(Struct, frozen=True):
    """The result: `instrument` is a table's id, None when none is known."""

    instrument: str | None
    needs: tuple[NeedFound, ...]
    unknown: tuple[Unknown, ...]


def screened(body: Any) -> Screening:
    """The needs of a record; raises Invalid. `needs: [{domain, result}]` may state them outright."""
    if not isinstance(body, Mapping):
        raise Invalid([Problem("", "send one JSON object")])
    answers = list(answers_of(body))
    instrument = named(body) or _inferred(answers)
    found: dict[str, list[tuple[str, str]]] = {}
    unknown: list[Unknown] = []
    for answer in answers:
        _read(answer, questions(answer.question, instrument), found, unknown)
    for one in (s for i in instruments().values() for s in i.sums.values()):
        _add_up(one, answers, found)
    for domain, result in _stated(body):
        found.setdefault(domain, []).append((result, ""))
    for domain in _declined(body):
        found.setdefault(domain, []).insert(0, ("help-declined", "help_declined"))
    needs = tuple(_weighed(domain, said) for domain, said in sorted(found.items()))
    return Screening(instrument, needs, tuple(dict.fromkeys(unknown)))


def clear(found: Screening) -> dict[str, Any]:
    """What may stand unsealed in the fact: needs that are not sensitive, the others only counted."""
    domains = table("domains")
    shown = [n for n in found.needs if not domains[n.domain]["sensitivity"]]
    return {
        "instrument": found.instrument,
        "needs": [{"domain": n.domain, "result": n.result, "questions": list(n.questions)} for n in shown],
        "withheld": len(found.needs) - len(shown),
        "unknown": [{"question": u.question, "answer": u.answer} for u in found.unknown],
    }


def record(before: "Stream | None", command: c.RecordFact, envelope: c.Envelope) -> c.RecordFact | None:
    """A screening as said; the same again has no effect, a corrected one is the next version."""
    same = before is not None and (before.data, before.sealed) == (command.data, command.sealed)
    return None if same else command


def _inferred(answers: Iterable[Answer]) -> str | None:
    """The instrument that knows most of the questions asked, None when none knows any."""
    asked = {answer.question for answer in answers}
    known = {id: len(asked & one.questions.keys()) for id, one in instruments().items()}
    best = max(known, key=lambda id: (known[id], -len(instruments()[id].questions)))
    return best if known[best] else None


def _read(
    answer: Answer,
    asked: list[Question],
    found: dict[str, list[tuple[str, str]]],
    unknown: list[Unknown],
) -> None:
    if not asked:
        unknown.append(Unknown(answer.question))
        return
    if each := next((q.each for q in asked if q.each), None):
        _read_each(answer, asked[0], each, found, unknown)
        return
    for value in answer.values:
        question = next((q for q in asked if value in q.answers), asked[0])
        said = question.answers.get(value, "unanswered" if value == "" else None)
        if said is None and question.answers:
            unknown.append(Unknown(answer.question, value))
        elif isinstance(said, str) and question.domain is not None:
            for domain in (question.domain, *question.also.get(value, ())):
                found.setdefault(domain, []).append((said, answer.question))


def _read_each(
    answer: Answer,
    question: Question,
    each: Mapping[str, str],
    found: dict[str, list[tuple[str, str]]],
    unknown: list[Unknown],
) -> None:
    """A list to choose from: what is chosen is a need, what is not chosen is none; nothing chosen is an answer too."""
    values = [value for value in answer.values if value]
    result = "unanswered" if any(question.answers.get(v) == "unanswered" for v in values) else "negative"
    for code, domain in each.items():
        said = "positive" if code in values else result
        found.setdefault(domain, []).append((said, answer.question))
    unknown += [Unknown(answer.question, v) for v in values if v not in each and v not in question.answers]


def _add_up(one: Sum, answers: Iterable[Answer], found: dict[str, list[tuple[str, str]]]) -> None:
    """Questions that count together: a need from a sum on, none when all were answered below it."""
    points: dict[str, int] = {}
    for answer in answers:
        if answer.question == one.total and answer.number is not None:
            points = {code: answer.number if code == one.of[0] else 0 for code in one.of}
            break
        for question in questions(answer.question, None) if answer.question in one.of else ():
            given = [p for v in answer.values if isinstance(p := question.answers.get(v), int)]
            points |= {answer.question: max(given)} if given else {}
    if points:
        enough = sum(points.values()) >= one.at_least
        said = "positive" if enough else "negative" if len(points) == len(one.of) else "unanswered"
        found.setdefault(one.domain, []).extend((said, code) for code in points)


def _weighed(domain: str, said: list[tuple[str, str]]) -> NeedFound:
    results = [result for result, _ in said]
    result = results[0] if said[0][1] == "help_declined" else min(results, key=RESULTS.index)
    asked = tuple(dict.fromkeys(q for r, q in said if q and q != "help_declined"))
    return NeedFound(domain, result, asked)


def _stated(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    needs = body.get("needs") or []
    if not isinstance(needs, list):
        raise Invalid([Problem("/needs", "send a list of {domain, result}")])
    problems, stated = [], []
    for index, need in enumerate(needs):
        domain, result = (
            (need.get("domain"), need.get("result")) if isinstance(need, Mapping) else (None, None)
        )
        if domain not in table("domains"):
            problems.append(
                Problem(f"/needs/{index}/domain", "unknown need domain; use a Gravity SDOH category code")
            )
        elif result not in RESULTS:
            problems.append(Problem(f"/needs/{index}/result", f"use one of {', '.join(RESULTS)}"))
        else:
            stated.append((str(domain), str(result)))
    if problems:
        raise Invalid(problems)
    return stated


def _declined(body: Mapping[str, Any]) -> list[str]:
    """The need domains for which the person wants no help, though there may be a need."""
    declined = body.get("help_declined") or []
    if not isinstance(declined, list):
        raise Invalid([Problem("/help_declined", "send a list of need domains")])
    wrong = [
        i
        for i, domain in enumerate(declined)
        if not isinstance(domain, str) or domain not in table("domains")
    ]
    if wrong:
        detail = "unknown need domain; use a Gravity SDOH category code"
        raise Invalid([Problem(f"/help_declined/{escaped(str(i))}", detail) for i in wrong])
    return declined
