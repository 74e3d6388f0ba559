"""The words on the pages: interface strings in English and Spanish, and the labels of reviewed codes.

Comes in: a key or a code. Goes out: plain text, which templates escape. Must never hold markup.
"""

import json
from functools import cache
from importlib import resources
from typing import Any

from referrals import words

LANGUAGES = {"en": "English", "es": "Español"}
DEFAULT = "en"


@cache
def strings() -> dict[str, dict[str, str]]:
    """Every interface string: key -> language -> text with {named} places."""
    content = resources.files("api.pages").joinpath("strings.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, str]] = json.loads(content)
    return loaded


class Text:
    """The words of one language; `text(key, name=value)` is how templates and models speak."""

    def __init__(self, language: str = DEFAULT) -> None:
        self.language = language if language in LANGUAGES else DEFAULT

    def __call__(self, key: str, **values: Any) -> str:
        """The string of a key with its places filled; an unknown key is a mistake of ours (KeyError)."""
        return strings()[key][self.language].format(**values)

    def n(self, key: str, count: int) -> str:
        """The singular or plural string of a key (`key.one`, `key.other`) with {n} filled."""
        return self(f"{key}.one" if count == 1 else f"{key}.other", n=count)

    def of(self, family: str, code: str, **values: Any) -> str:
        """The string `family.code`, or the code in plain spelling when the family does not know it."""
        key = f"{family}.{code}"
        return self(key, **values) if key in strings() else spelled(code)

    def knows(self, family: str, code: str) -> bool:
        """Whether a family has a string of its own for a code."""
        return f"{family}.{code}" in strings()

    def label(self, table: str, code: str | None) -> str:
        """The label of a code of referrals/data; plain spelling when the list does not know it."""
        if not code:
            return ""
        found = words.label(table, code, self.language)
        return spelled(code) if found == code else found

    def choices(self, table: str, codes: list[str] | None = None) -> list[dict[str, str]]:
        """A list of referrals/data as options of a form, in the list's order."""
        return [{"code": c, "label": self.label(table, c)} for c in (codes or words.table(table))]


def spelled(code: str) -> str:
    """A code as words, for what no list knows: `no-show` -> `No show`."""
    return code.replace("-", " ").replace("_", " ").strip().capitalize()


def chosen(cookie: str | None, accept_language: str | None) -> str:
    """The language of a request: the person's own choice, else the browser's first known one."""
    if cookie in LANGUAGES:
        return str(cookie)
    for part in (accept_language or "").split(","):
        if (code := part.strip()[:2].lower()) in LANGUAGES:
            return code
    return DEFAULT
