"""Is it the same person? Two persons as their senders wrote them are compared; and the keys under which to look.

Comes in: two persons; for keys a secret. Goes out: an Agreement that names fields, never a value; hashes. Pure.
"""

import hmac
import json
import re
from functools import cache
from importlib import resources
from uuid import UUID

from msgspec import Struct
from rapidfuzz.fuzz import token_sort_ratio

from referrals.names import ALIKE, EXACT, OTHER, family_alike, given_alike, sound, words_of
from referrals.submission import Address, Person

NEAR_DATE = 0.7
NO_DIGIT, NUMBER = re.compile(r"\D"), re.compile(r"(?<!\w)\d+(?!\w)")


class Agreement(Struct, frozen=True):
    """How far two records agree, 0..100, and by which fields: the same, alike (a slip), differing."""

    score: int
    same: tuple[str, ...]
    alike: tuple[str, ...]
    differing: tuple[str, ...]


class Policy(Struct, frozen=True):
    """referrals/data/matching.json: what counts how much."""

    threshold: int
    weights: dict[str, int]
    address_at_least: int
    name_at_least: float
    street_words: dict[str, str]


@cache
def policy() -> Policy:
    """The reviewed figures."""
    text = resources.files("referrals").joinpath("data", "matching.json").read_text(encoding="utf-8")
    return Policy(**json.loads(text))


def agreement(one: Person, other: Person) -> Agreement | None:
    """The agreement of two records if they are likely one person, else None.

    Names must agree, also given and family name the other way round; then the birth date, or a slip of it with the
    same phone or address. Twins agree in all but the given name, so they are two.
    """
    rules = policy()
    found = _names(one, other, rules.name_at_least)
    if not all(found.values()) or _contradict(one, other, found):
        return None
    found["birth_date"] = _dates(one.birth_date, other.birth_date)
    phones, others = _phones(one), _phones(other)
    if phones and others:
        found["phone"] = EXACT if phones & others else OTHER
    if one.address and other.address and one.address.line and other.address.line:
        found["address"] = _addresses(one.address, other.address, rules)
    backed = EXACT in (found.get("phone"), found.get("address"))
    if found["birth_date"] < EXACT and not (found["birth_date"] == NEAR_DATE and backed):
        return None
    made = _agreement(found, rules)
    return made if made.score >= rules.threshold else None


def match_keys(person: Person, secret: bytes) -> tuple[UUID, ...]:
    """Under which keys to look for the same person: HMAC-SHA256 (128 bits) of what a slip leaves as it is.

    Birth date with the sound of each name, year of birth with phone and with house number.
    """
    year = person.birth_date[:4]
    names = (words_of(person.given_name)[:1], words_of(person.family_name)[:1])
    blocks = {f"n|{person.birth_date}|{sound(words[0])}" for words in names if words}
    blocks |= {f"p|{number}|{year}" for number in sorted(_phones(person))[:2]}
    if person.address is not None and (house := _house(person.address)):
        blocks.add(f"a|{house}|{year}")
    digests = (hmac.digest(secret, block.encode(), "sha256") for block in sorted(blocks))
    return tuple(UUID(bytes=digest[:16]) for digest in digests)


def _agreement(found: dict[str, float], rules: Policy) -> Agreement:
    whole = sum(rules.weights[name] for name in found)
    score = sum(rules.weights[name] * value for name, value in found.items())
    return Agreement(
        score=round(100 * score / whole),
        same=tuple(name for name, value in found.items() if value == EXACT),
        alike=tuple(name for name, value in found.items() if 0 < value < EXACT),
        differing=tuple(name for name, value in found.items() if not value),
    )


def _names(one: Person, other: Person, at_least: float) -> dict[str, float]:
    given, family = words_of(one.given_name), words_of(one.family_name)
    given2, family2 = words_of(other.given_name), words_of(other.family_name)
    direct = (given_alike(given, given2, at_least), family_alike(family, family2, at_least))
    crossed = (given_alike(given, family2, at_least), given_alike(family, given2, at_least))
    if not all(direct) and all(crossed):
        direct = (ALIKE, ALIKE)
    return dict(zip(("given_name", "family_name"), direct, strict=True))


def _contradict(one: Person, other: Person, names: dict[str, float]) -> bool:
    """Two genders and two spellings of the given name: a brother and a sister."""
    genders = {str(g).lower() for g in (one.gender, other.gender)}
    return names["given_name"] < EXACT and genders == {"male", "female"}


def _dates(one: str, other: str) -> float:
    """The same; a slip: day and month the other way round, or one digit of them; else another date."""
    if one == other:
        return EXACT
    year, day, month = one[:4], one[8:10], one[5:7]
    if year != other[:4]:
        return OTHER
    slips = sum(a != b for a, b in zip(one, other, strict=False))
    return NEAR_DATE if slips == 1 or other == f"{year}-{day}-{month}" else OTHER


def _phones(person: Person) -> set[str]:
    """The last ten digits of every number given; numbers that stand for none are left out."""
    safe = person.contact.phones if person.contact else ()
    given = (number for number in (person.phone, *(p.number for p in safe)) if number)
    digits = (NO_DIGIT.sub("", number) for number in given)
    return {d[-10:] for d in digits if len(d) >= 10 and len(set(d[-10:])) > 1}


def _line(address: Address) -> list[str]:
    short = policy().street_words
    return [short.get(word, word) for word in words_of(address.line or "")]


def _house(address: Address) -> str:
    """ZIP and house number; empty where one is missing."""
    number = NUMBER.search(address.line or "")
    return f"{address.postal_code.strip()[:5]}|{number[0]}" if number and address.postal_code else ""


def _addresses(one: Address, other: Address, rules: Policy) -> float:
    if (_house(one) or _house(other)) and _house(one) != _house(other):
        return OTHER
    ratio = token_sort_ratio(" ".join(_line(one)), " ".join(_line(other)))
    return EXACT if ratio >= rules.address_at_least else OTHER
