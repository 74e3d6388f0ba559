"""Language names and codes of partners -> ISO 639-1, the only form the exchange compares.

Comes in: a name, a BCP-47 tag or a three-letter code. Goes out: two letters, or None when unknown.
"""

import json
import re
from functools import cache
from importlib import resources


@cache
def _table() -> dict[str, str]:
    text = resources.files("producers").joinpath("data", "languages.json").read_text(encoding="utf-8")
    rows: dict[str, list[str]] = json.loads(text)
    return {name: code for code, names in rows.items() for name in [code, *names]}


def two_letters(text: str | None) -> str | None:
    """`es` for es, es-MX, spa or Spanish; None for what the table does not know."""
    if not text:
        return None
    plain = text.strip().lower()
    return _table().get(plain) or _table().get(re.split(r"[-_ (,;/]", plain)[0])
