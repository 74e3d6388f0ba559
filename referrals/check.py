"""Step 1, check: a decoded JSON value becomes a Submission, or problems that say where and what to do.

What the body alone shows to be wrong is refused here, at every door alike; what needs state is decided later.
Must never look anything up: the clock is an argument.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from referrals import words
from referrals.submission import Consent, Submission

MAX_ID = 200
MAX_DEPTH = 32
UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
FIELD = re.compile("[a-z][A-Za-z0-9_]{0,40}")
MAX_AHEAD = timedelta(minutes=5)
ALIASES = {"sex": "gender", "language": "spoken_language"}
ID_FIELDS = ("sender_referral_id", "case_id", "based_on_referral", "preferred_organization")
CHOICES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("priority", words.PRIORITIES),
    ("routing", words.ROUTING_MODES),
    ("consent/status", words.CONSENT_STATUSES),
)


class Problem(Struct, frozen=True):
    """One thing wrong with a body: a JSON pointer and what to do about it."""

    pointer: str
    detail: str


class Invalid(ValueError):
    """The body is not a submission; `problems` says where and what to do."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.pointer}: {p.detail}" for p in problems))
        self.problems = problems


def submissions(body: Any, now: datetime) -> list[Submission]:
    """All submissions of one body: one per need; with `needs` the i-th id is made as interfaces.md says.

    Raises Invalid. `body` is any decoded JSON value, `now` an aware datetime.
    """
    if not isinstance(body, dict):
        raise Invalid([Problem("", "send a JSON object with sender_referral_id, person, need and consent")])
    if body.get("needs") is None:
        return [submission(body, now)]
    return list(_split(body, now))


def submission(body: Any, now: datetime) -> Submission:
    """One submission of a body with `need`; raises Invalid."""
    if not isinstance(body, dict):
        raise Invalid([Problem("", "send a JSON object with sender_referral_id, person, need and consent")])
    if not is_clean(body):
        raise Invalid(list(unclean("", body)))
    try:
        made = msgspec.convert(_with_aliases(_without_nulls(body)), Submission)
    except msgspec.ValidationError as error:
        raise Invalid([located(error)]) from None
    if problems := [*_choices(made), *_ids(made), *_dates(made, now)]:
        raise Invalid(problems)
    return made


def consent(body: Any) -> Consent:
    """A consent record of its own, as PUT /v1/consents takes it; raises Invalid."""
    try:
        made = msgspec.convert(_without_nulls(body), Consent)
    except msgspec.ValidationError as error:
        raise Invalid([located(error)]) from None
    problems = [*unclean("", body), *_consent_dates(made, "")]
    if made.status not in words.CONSENT_STATUSES:
        problems.append(Problem("/status", f"use one of {', '.join(words.CONSENT_STATUSES)}"))
    if problems:
        raise Invalid(problems)
    return made


def _split(body: dict[str, Any], now: datetime) -> Iterator[Submission]:
    needs = body["needs"]
    if not isinstance(needs, list) or not needs or body.get("need") is not None:
        raise Invalid([Problem("/needs", "send a non-empty list of needs, and no `need` beside it")])
    if len(needs) > len(words.table("domains")):
        raise Invalid([Problem("/needs", "at most 24 needs in one case")])
    base = body.get("sender_referral_id")
    seen: dict[str, int] = {}
    for index, need in enumerate(needs):
        domain = str(need.get("domain")) if isinstance(need, dict) else ""
        seen[domain] = seen.get(domain, 0) + 1
        suffix = f"#{domain}" + (f".{seen[domain]}" if seen[domain] > 1 else "")
        one = {k: v for k, v in body.items() if k != "needs"}
        one["need"] = need
        one["case_id"] = body.get("case_id") or base
        one["sender_referral_id"] = f"{base}{suffix}" if isinstance(base, str) and base else base
        try:
            yield submission(one, now)
        except Invalid as error:
            moved = [
                Problem(re.sub(r"^/need(?=/|$)", f"/needs/{index}", p.pointer), p.detail)
                for p in error.problems
            ]
            raise Invalid(moved) from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value if v is not None]
    return value


def _with_aliases(body: dict[str, Any]) -> dict[str, Any]:
    person = body.get("person")
    if not isinstance(person, dict):
        return body
    person = dict(person)
    for alias, name in ALIASES.items():
        if alias in person:
            person.setdefault(name, person[alias])
            del person[alias]
    codes = [c for alias in ("race", "ethnicity") for c in _as_codes(person.pop(alias, None))]
    given = person.get("race_ethnicity", [])
    if codes and isinstance(given, list):
        person["race_ethnicity"] = [*given, *codes]
    contact = person.get("contact")
    if isinstance(contact, dict) and "phone_ok" in contact:
        contact = {k: v for k, v in contact.items() if k != "phone_ok"} | _phone_ok(person, contact)
        person["contact"] = contact
    return body | {"person": person}


def _phone_ok(person: dict[str, Any], contact: dict[str, Any]) -> dict[str, Any]:
    if contact.get("phones") or not isinstance(contact["phone_ok"], bool):
        return {}
    return (
        {"phones": [{"number": person.get("phone"), "safe": contact["phone_ok"]}]}
        if person.get("phone")
        else {}
    )


def _as_codes(value: Any) -> list[Any]:
    found = value if isinstance(value, list) else [] if value is None else [value]
    return [{"code": v} if isinstance(v, str) else v for v in found]


def located(error: msgspec.ValidationError) -> Problem:
    """Where msgspec found a value wrong, as a JSON pointer, and what to do."""
    text, _, where = str(error).partition(" - at `$")
    pointer = re.sub(r"\[(\d+)\]", r"/\1", where.rstrip("`")).replace("[...]", "/-").replace(".", "/")
    if missing := re.search(r"missing required field `(\w+)`", text):
        return Problem(f"{pointer}/{missing[1]}", "this field is required; send it")
    if text.startswith(("Invalid enum value", "Invalid value")):  # msgspec quotes it
        text = "not one of the values known here; see /openapi.json"
    return Problem(pointer, text)


def is_clean(value: Any, depth: int = 0) -> bool:
    """Whether `unclean` finds nothing: asked of every body, so without a word of where."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, str):
        return UNWRITABLE.search(value) is None
    if isinstance(value, dict):
        return all(not UNWRITABLE.search(k) and is_clean(v, depth + 1) for k, v in value.items())
    return not isinstance(value, list) or all(is_clean(v, depth + 1) for v in value)


def unclean(pointer: str, value: Any, depth: int = 0) -> Iterator[Problem]:
    """What no text column takes: NUL, unpaired surrogates; and nesting deeper than anything real."""
    if depth > MAX_DEPTH:
        yield Problem(pointer, f"nested more than {MAX_DEPTH} levels deep; send a flatter body")
    elif isinstance(value, str):
        if UNWRITABLE.search(value):
            yield Problem(pointer, "holds a NUL or an unpaired surrogate; remove it")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if UNWRITABLE.search(key):
                yield Problem(pointer, "a field's name holds a NUL or an unpaired surrogate; remove it")
            else:
                yield from unclean(f"{pointer}/{named(key)}", inner, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from unclean(f"{pointer}/{index}", inner, depth + 1)


def named(key: str) -> str:
    """A sender's field in a JSON pointer that is told again: `-` for what cannot be the name of a field."""
    return key if FIELD.fullmatch(key) else "-"


def escaped(name: str) -> str:
    """A field's name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _choices(s: Submission) -> Iterator[Problem]:
    values = {"priority": s.priority, "routing": s.routing, "consent/status": s.consent.status}
    for name, allowed in CHOICES:
        if values[name] is not None and values[name] not in allowed:
            yield Problem(f"/{name}", f"unknown value; use one of {', '.join(allowed)}")
    if s.need.domain not in words.table("domains"):
        yield Problem("/need/domain", "unknown need domain; use a Gravity SDOH category code")
    for index, code in enumerate(s.sensitivity):
        if code not in words.SENSITIVITIES:
            yield Problem(f"/sensitivity/{index}", f"use one of {', '.join(words.SENSITIVITIES)}")


def _ids(s: Submission) -> Iterator[Problem]:
    named = [(f"/{name}", getattr(s, name)) for name in ID_FIELDS]
    named += [("/person/person_id", s.person.person_id), ("/consent/id", s.consent.id)]
    for pointer, value in named:
        if value is not None and len(value) > MAX_ID:
            yield Problem(pointer, f"longer than {MAX_ID} characters; send a shorter id")
    required = {
        "/sender_referral_id": s.sender_referral_id,
        "/person/person_id": s.person.person_id,
        "/person/given_name": s.person.given_name,
        "/person/family_name": s.person.family_name,
    }
    for pointer, value in required.items():
        if not value.strip():
            yield Problem(pointer, "must not be empty")


def _dates(s: Submission, now: datetime) -> Iterator[Problem]:
    born = parse_date(s.person.birth_date)
    if born is None:
        yield Problem("/person/birth_date", "not a date; send YYYY-MM-DD")
    elif born > (now + MAX_AHEAD).date():
        yield Problem("/person/birth_date", "lies in the future")
    if s.requested_at is not None:
        when = parse_time(s.requested_at)
        if when is None:
            yield Problem("/requested_at", "not a date-time; send RFC 3339 with an offset")
        elif when > now + MAX_AHEAD:
            yield Problem("/requested_at", "lies more than 5 minutes in the future; check your clock")
    yield from _consent_dates(s.consent, "/consent")


def _consent_dates(said: Consent, under: str) -> Iterator[Problem]:
    for name in ("date", "expires_at"):
        value = getattr(said, name)
        if value is not None and parse_time(value) is None:
            yield Problem(f"{under}/{name}", "not a date; send YYYY-MM-DD or RFC 3339")


def parse_date(text: str) -> date | None:
    """YYYY-MM-DD as a date, None for anything else."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def parse_time(text: str) -> datetime | None:
    """RFC 3339 (or a date, as midnight UTC) as an aware datetime in UTC, None for anything else."""
    try:
        when = msgspec.convert(f"{text}T00:00:00Z" if parse_date(text) else text, datetime)
        return when.astimezone(UTC) if when.tzinfo is not None else None
    except (msgspec.ValidationError, OverflowError):
        return None
