"""Sensitivity labels: what a referral carries wherever it goes, never fewer; and what must be said beside it.

Comes in: the labels a referral was sent with, its kind of need, its programme. Goes out: the labels that hold, the
redisclosure notice, whether it is masked. Pure. What nobody knows is as restricted as anything can be.
"""

from collections.abc import Iterable
from functools import cache
from importlib import resources

import msgspec
from msgspec import Struct

from referrals import words

NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
"""42 CFR 2.32(a)(2), word for word: it goes with every disclosure of what is labelled part2."""
MASKED = "withheld"
"""What stands in place of a masked name."""


class Masking(Struct, frozen=True, forbid_unknown_fields=True):
    """The reviewed file data/masking.json; programmes are compared as `plain` writes them."""

    version: str
    date: str
    source: str
    sensitivity: frozenset[str]
    programmes: frozenset[str]


@cache
def masking() -> Masking:
    """What is masked in plan views, print, notices and exports."""
    text = resources.files("referrals").joinpath("data", "masking.json").read_bytes()
    return msgspec.json.decode(text, type=Masking)


def holding(labels: Iterable[str], domain: str) -> tuple[str, ...]:
    """The labels that hold for a referral: its own and its need's; all there are when one of them is unknown."""
    need = words.table("domains").get(domain)
    if need is None:
        return words.SENSITIVITIES
    found = tuple(dict.fromkeys((*labels, *need["sensitivity"])))
    return words.SENSITIVITIES if set(found) - set(words.SENSITIVITIES) else found


def joined(*of: Iterable[str]) -> tuple[str, ...]:
    """The labels of several together, each once, in their order: what is derived carries those of all its sources."""
    return tuple(dict.fromkeys(label for labels in of for label in labels))


def at_least(found: Iterable[str], needed: Iterable[str]) -> bool:
    """Whether no label was lost on the way."""
    return set(needed) <= set(found)


def notice(labels: Iterable[str]) -> str | None:
    """The redisclosure notice that goes with what is so labelled; None when none is due."""
    return NOTICE if "part2" in labels else None


def is_masked(labels: Iterable[str], programme: str | None) -> bool:
    """Whether organization, address and need are masked where a plan, paper, a notice or an export tells of it."""
    rules = masking()
    return bool(rules.sensitivity.intersection(labels)) or words.plain(programme or "") in rules.programmes
