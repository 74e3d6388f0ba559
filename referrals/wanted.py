"""What routing knows of a referral, and the reviewed numbers it decides by.

Comes in: the submission as it was opened for this decision, routing_policy.json. Goes out: Wanted, Policy. A Wanted
holds personal values, so it must never be stored: only the decision is.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from referrals.submission import Attribute, Submission

LANGUAGES = {
    "english": "en",
    "spanish": "es",
    "chinese": "zh",
    "vietnamese": "vi",
    "tagalog": "tl",
    "korean": "ko",
}
RECEIVES = "already-receiving"
"""The attribute by which a sender says that the person is helped already; its value is the organization's id."""
UNKNOWN_GENDERS = frozenset({"", "unknown", "asked-declined"})
NO = (False, "false", "no", "n", "0", 0)


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """The reviewed numbers of routing (referrals/data/routing_policy.json).

    `half_*`: where a part of the score is one half. `prior_*`: the imagined answers a new service begins with.
    `pause_after_expiries`: requests in a row without an answer that pause a service, at most 10.
    """

    version: str
    weights: Mapping[str, float]
    half_distance_km: float
    half_load: float
    half_assured_days: float
    stale_assured_days: int
    stale_trust: float
    doubt_weight: float
    half_response_hours: float
    prior_answers: Annotated[float, Meta(gt=0)]
    prior_acceptance: float
    capacity_fresh_days: int
    pause_after_expiries: Annotated[int, Meta(ge=1, le=10)]
    already_receiving: Literal["flag", "exclude"]
    already_receiving_days: int
    named_candidates: int
    named_outside: int


class Wanted(NamedTuple):
    """What routing knows of a referral; no identity. From `age` on personal: used, never written down."""

    sender: str
    domain: str
    postal_code: str | None
    county: str | None
    language: str | None
    excluded: tuple[str, ...] = ()
    earlier: frozenset[str] = frozenset()
    receiving: frozenset[str] = frozenset()
    preferred: str | None = None
    preferred_only: bool = False
    payer: str | None = None
    service_code: str | None = None
    programme: str | None = None
    age: int | None = None
    gender: str | None = None
    interpreter_needed: bool = False
    accessibility: tuple[str, ...] = ()
    attributes: frozenset[str] = frozenset()
    children: int | None = None


@cache
def policy() -> Policy:
    """The policy in force."""
    return policy_of(resources.files("referrals").joinpath("data", "routing_policy.json").read_bytes())


def policy_of(text: bytes) -> Policy:
    """A policy from its JSON; msgspec.ValidationError when a number is missing, unknown or out of range."""
    return msgspec.json.decode(text, type=Policy)


def personal(submission: Submission, day: date) -> dict[str, Any]:
    """The fields of Wanted that only the submission itself tells: age on that day, gender, household, ..."""
    person = submission.person
    return {
        "age": age(person.birth_date, day),
        "gender": gender(person.gender),
        "interpreter_needed": bool(person.interpreter_needed),
        "accessibility": tuple(a for need in person.accessibility if (a := plain(need))),
        "attributes": frozenset(c for a in person.attributes for c in _codes(a)),
        "children": person.household.children if person.household else None,
        "receiving": frozenset(str(a.value) for a in person.attributes if a.code == RECEIVES and a.value),
    }


def age(birth_date: str, day: date) -> int | None:
    """Whole years on that day; None when the date is none."""
    try:
        born = date.fromisoformat(birth_date[:10])
    except ValueError:
        return None
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def gender(text: str | None) -> str | None:
    """As services write it, lower case; None when it is not known."""
    word = plain(text or "")
    return None if word in UNKNOWN_GENDERS else word


def plain(text: str) -> str:
    """Words as codes: `Wheel chair` and `wheel-chair` compare equal."""
    return "-".join(text.lower().replace("_", " ").replace("-", " ").split())


def coded(system: str | None, code: str | None) -> str | None:
    """`system|code`, the form in which codes are compared; None without a code."""
    return f"{system or ''}|{code}" if code else None


def language_code(text: str | None) -> str | None:
    """ISO 639-1 of a language as senders write it: `es`, `es-US`, `Spanish`; None stays None."""
    if not text or not text.strip():
        return None
    word = text.strip().lower()
    return LANGUAGES.get(word, word.split("-")[0].split("_")[0])


def _codes(attribute: Attribute) -> tuple[str, ...]:
    value = attribute.value.lower() if isinstance(attribute.value, str) else attribute.value
    if not attribute.code or value in NO:
        return ()
    return (attribute.code, f"{attribute.system or ''}|{attribute.code}")
