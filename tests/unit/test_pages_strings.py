"""Interface strings: every used key exists in English and Spanish with the same places, and none is unused."""

import re
import string
from importlib import resources
from pathlib import Path

import pytest

import api
from api import disclosures
from api.pages import (
    cards,
    cbo_models,
    clinic_models,
    disclosed,
    front_models,
    funnel,
    hub_models,
    opened_models,
    people_models,
    plan_models,
    render,
    timeline,
    when,
)
from api.pages.text import LANGUAGES, Text, chosen, strings
from infra import roles
from referrals import capacity, matching, rules, standing, words
from referrals.contracts import CLOCKS
from referrals.measures import definitions
from referrals.timing import HOLD_REVIEW

FOLDER = Path(str(resources.files("api")))
# family of keys -> the codes that must have a string; looked up by code at run time
FAMILIES: dict[str, set[str]] = {
    "type": set(words.OrganizationType),
    "status": set(words.ReferralStatus) | set(words.HopStatus),
    "sentence": set(words.ReferralStatus),
    "priority": set(words.PRIORITIES),
    "consent": set(words.CONSENT_STATUSES),
    "event": set(timeline.ICONS),
    "rule": {name for name, _ in (*rules.RULES, *standing.SHUT)},
    "hub-next": set(words.table("review_reasons")),
    "measure": set(definitions()),
    "measure-title": set(definitions()),
    "field": {*matching.policy().weights, "person_id", "confirmed_link"},
    "cbo-sentence": {str(s) for s in words.HopStatus},
    "clock": {*CLOCKS, HOLD_REVIEW},
    "approval": set(words.AUTHORIZATIONS),
    "room-status": set(capacity.STATUSES),
    "shown": set(disclosures.PURPOSES),
    "role": {role for held in roles.ROLES.values() for role in held},
    "role-may": {role for held in roles.ROLES.values() for role in held},
    "people.not": set(people_models.REFUSALS),
}
# keys that code puts together from a literal and a code of its own tables
MADE = {
    *(f"next.{s}" for s in words.ReferralStatus),
    *(f"language.{c}" for c in clinic_models.LANGUAGES),
    *(f"target.{k}" for k in ("met", "missed", "open")),
    *(f"flash.{f}" for f in render.FLASHES),
    *(f"channel.{c}" for c in words.ASSISTED),
    *(f"hub.{part}.{t}" for part in ("empty", "empty-text") for t in hub_models.TABS),
    *(f"error.{part}.{m}" for part in ("title", "text") for m in (*front_models.MESSAGES, "other")),
    *(f"tab.{t}" for t in (*clinic_models.TABS, *cards.TABS, *hub_models.TABS)),
    *(f"cbo.{part}.{t}" for part in ("empty", "empty-text") for t in cards.TABS),
    *(f"action.{b.name}" for b in cards.BUTTONS),
    *(f"answer.{q}" for q in cbo_models.QUESTIONS),
    *(f"answer-why.{q}" for q in cbo_models.LISTS),
    *(f"{q}.need-hint" for q in cbo_models.OUTCOMES),
    *(f"method.{m}" for m in cbo_models.METHODS),
    *(f"contact.{a}" for a in ("yes", "no")),
    *(f"funnel.{s}" for s in funnel.STEPS),
    *(f"home.step-{s}{end}" for s, _ in front_models.STEPS for end in ("", "-text")),
    *(f"disclosed.{h}" for h in disclosed.HEADINGS),
    *(f"opened.{h}" for h in opened_models.HEADINGS),
    *(f"opened.problem-{f.replace('_', '-')}" for f in opened_models.FIELDS),
    *(f"people.{h}" for h in people_models.HEADINGS),
    *(f"mco.{h}" for h in (*plan_models.HEADINGS, *plan_models.LIST_HEADINGS)),
    *(f"likeness.{part}" for part in ("same", "alike", "differing")),
    *(f"form.{c}" for c in ("yes", "no", "unsure")),
    *(f"{key}.{form}" for _, _, key in when.UNITS for form in ("one", "other")),
}
OPTIONAL = {f"next.{s}" for s in words.ReferralStatus}


def sources() -> str:
    """Our templates and page code as one text."""
    files = [*sorted((FOLDER / "templates").glob("*.html")), *sorted((FOLDER / "pages").glob("*.py"))]
    return "\n".join(f.read_text(encoding="utf-8") for f in files)


def places(text: str) -> set[str]:
    """The named places of a string."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_string_is_there_in_every_language_with_the_same_places() -> None:
    for key, row in strings().items():
        assert set(row) == set(LANGUAGES), key
        assert all(v.strip() for v in row.values()), key
        assert len({frozenset(places(v)) for v in row.values()}) == 1, key


def literal_keys() -> set[str]:
    """Every key that stands whole in our sources."""
    text = sources()
    found = set(re.findall(r"""\b(?:t|text|show\.text|self\.text)\(\s*["']([a-z0-9.-]+[a-z0-9])["']""", text))
    counted = set(re.findall(r"""\.n\(\s*["']([a-z0-9.-]+)["']""", text))
    found |= {f"{key}.{form}" for key in counted for form in ("one", "other")}
    return found | {k for k in strings() if f'"{k}"' in text or f"'{k}'" in text}


def test_every_key_that_is_used_exists() -> None:
    used = literal_keys()
    assert len(used) > 150
    assert (used | MADE) - OPTIONAL - set(strings()) == set()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_code_of_a_family_has_its_string(family: str) -> None:
    assert {f"{family}.{code}" for code in FAMILIES[family]} - set(strings()) == set()


def test_no_string_is_unused() -> None:
    families = {f"{family}.{code}" for family, codes in FAMILIES.items() for code in codes}
    assert set(strings()) - families - MADE - literal_keys() == set()


def test_reviewed_lists_have_labels_in_both_languages() -> None:
    for name in (
        "domains",
        "outcomes",
        "reject_reasons",
        "hold_reasons",
        "cancel_reasons",
        "withdraw_reasons",
        "told_reasons",
        "review_reasons",
    ):
        for code, row in words.table(name).items():
            assert row["label_en"], (name, code)
            assert row["label_es"], (name, code)


@pytest.mark.parametrize(
    ("cookie", "browser", "expected"),
    [
        (None, None, "en"),
        ("es", "en-US", "es"),
        (None, "es-MX,es;q=0.9,en;q=0.8", "es"),
        (None, "fr,de,es", "es"),
        ("xx", "fr", "en"),
    ],
)
def test_the_language_is_the_persons_choice_then_the_browsers(
    cookie: str | None, browser: str | None, expected: str
) -> None:
    assert chosen(cookie, browser) == expected


def test_a_code_nobody_knows_is_spelled_out_and_not_shown_raw() -> None:
    assert Text("es").of("status", "never-heard-of") == "Never heard of"
    assert Text().label("outcomes", "brand-new") == "Brand new"
    assert api.__doc__
