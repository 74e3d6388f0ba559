"""Sharing rules: what a consent of a programme releases to whom, as reviewed, versioned data (data/sharing_rules.json).

Comes in: a programme, the sensitivities of a referral. Goes out: the rule that holds, by name and version. Pure.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources

import msgspec
from msgspec import Struct

from referrals.words import plain


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """What is released to each viewer without more being asked; empty lists match every referral."""

    id: str
    programmes: tuple[str, ...]
    sensitivity: tuple[str, ...]
    release: Mapping[str, tuple[str, ...]]

    def holds(self, programme: str | None, sensitivity: tuple[str, ...]) -> bool:
        """Whether this is a rule for such a referral."""
        fits = not self.programmes or plain(programme or "") in self.programmes
        return fits and (not self.sensitivity or any(s in self.sensitivity for s in sensitivity))


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """The reviewed file; the first rule that holds counts. Words are compared as `plain` writes them."""

    version: str
    date: str
    source: str
    purposes: frozenset[str]
    classes: frozenset[str]
    general_scopes: frozenset[str]
    outcome_words: frozenset[str]
    revocation: Mapping[str, str]
    across_links: Mapping[str, bool]
    on_behalf: Mapping[str, frozenset[str]]
    rules: tuple[Rule, ...]

    def rule(self, programme: str | None, sensitivity: tuple[str, ...]) -> Rule:
        """The rule of a programme; the last one of the file holds for everything."""
        return next(r for r in self.rules if r.holds(programme, sensitivity))

    def name(self, rule: str) -> str:
        """How a decision names the rule it was made by."""
        return f"{rule}@{self.version}"


@cache
def sharing() -> Rules:
    """The rules in force."""
    text = resources.files("referrals").joinpath("data", "sharing_rules.json").read_bytes()
    return msgspec.json.decode(text, type=Rules)
