"""Secrets that stand in a text: keys, passwords in addresses, assignments of what looks drawn by chance.

Comes in: a text. Goes out: line numbers and kinds, never the secret. What stands on purpose is named in EXEMPT.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

PATTERNS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "private JWK": re.compile(r"""["']d["']\s*:\s*["'][A-Za-z0-9_-]{40,}["']"""),
    "cloud access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "service token": re.compile(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{20,}|sk_live_[A-Za-z0-9]{20,}|AIza[A-Za-z0-9_-]{35})"
    ),
    "password in an address": re.compile(
        r"\b[a-z][a-z0-9+]{1,20}://[^\s/:@{}$<>\"']+:(?P<value>[^\s/@{}$<>\"']{3,})@"
    ),
    "assigned secret": re.compile(
        r"(?i)\b[a-z0-9_.-]*(?:secret|password|passwd|token|api_?key|private_?key|credential)[a-z0-9_]*[\"']?\s*[:=]\s*"
        r"[\"']?(?P<value>[A-Za-z0-9+/_=-]{20,})"
    ),
}
DRAWN_BITS = 3.5
"""Bits of a character from which a text counts as drawn by chance; words and paths have fewer, or no digits."""
PLACEHOLDER = re.compile(r"\.{3}|(?i:example|changeme|password|secret|placeholder|synthetic)")


class Found(NamedTuple):
    """Where something stands that looks like a secret."""

    line: int
    kind: str


def secrets(text: str) -> Iterator[Found]:
    """Everything in it that looks like a secret."""
    for number, line in enumerate(text.splitlines(), 1):
        for kind, pattern in PATTERNS.items():
            for match in pattern.finditer(line):
                value = match.groupdict().get("value")
                if value is None or not (
                    PLACEHOLDER.search(value) or (kind.startswith("assigned") and not drawn(value))
                ):
                    yield Found(number, kind)


def drawn(value: str) -> bool:
    """Whether it looks as if drawn by chance: digits and letters of both cases, and little order."""
    kinds = (
        any(c.isdigit() for c in value),
        any(c.islower() for c in value),
        any(c.isupper() for c in value),
    )
    counts = Counter(value).values()
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
    return sum(kinds) >= 2 and bits >= DRAWN_BITS
