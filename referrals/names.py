"""Names as they are compared: folded letters, the sound of a word, and how alike two names are.

Comes in: names as typed. Goes out: words, sounds, a likeness 0..1. Pure; nicknames are out of scope.
"""

import re
import unicodedata

from rapidfuzz.distance import OSA, JaroWinkler

WORD = re.compile(r"[^\W_]+")
EXACT, ALIKE, OTHER = 1.0, 0.9, 0.0
SOUNDS = {
    c: str(n) for n, group in enumerate(("aeiouy", "bfpvw", "cgjkqsxz", "dt", "l", "mn", "r")) for c in group
}


def words_of(text: str) -> list[str]:
    """The words of a text: accents folded, lower case, letters and digits alone (hyphens part words)."""
    if text.isascii():
        bare = text.lower()
    else:
        apart = unicodedata.normalize("NFKD", text)
        bare = "".join(c for c in apart if not unicodedata.combining(c)).casefold().replace("’", "")
    return WORD.findall(bare.replace("'", ""))


def sound(word: str) -> str:
    """How a word sounds, in the manner of Soundex but with its first letter coded too (Catherine = Katherine)."""
    coded = [SOUNDS.get(c, c) for c in word.replace("h", "")]
    told = [c for n, c in enumerate(coded) if n == 0 or (c != coded[n - 1] and c != "0")]
    return "".join(told)[:4]


def alike(one: str, other: str, at_least: float) -> float:
    """One word against another: the same, one slip of the keyboard apart, or another name."""
    if one == other:
        return EXACT
    if min(len(one), len(other)) < 3 or _gendered(one, other):
        return OTHER
    slip = one[0] == other[0] and max(len(one), len(other)) > 3 and OSA.distance(one, other) == 1
    near = min(len(one), len(other)) > 3 and JaroWinkler.similarity(one, other) >= at_least
    return ALIKE if slip or near else OTHER


def given_alike(one: list[str], other: list[str], at_least: float) -> float:
    """Given names word by word: Maria is Maria Elena, but Juan Carlos is not Juan Pablo."""
    if not one or not other:
        return OTHER
    worst = min(alike(a, b, at_least) for a, b in zip(one, other, strict=False))
    return worst if len(one) == len(other) else min(worst, ALIKE)


def family_alike(one: list[str], other: list[str], at_least: float) -> float:
    """Family names: all words, or one word in common as where only the first of two is written."""
    if not one or not other:
        return OTHER
    if len(one) == len(other) and (whole := given_alike(one, other, at_least)):
        return whole
    shared = {word for word in one if len(word) > 2} & set(other)
    return ALIKE if shared else OTHER


def _gendered(one: str, other: str) -> bool:
    """Daniel and Daniela, Mario and Maria: two people of one family more often than a slip."""
    stems = [word[:-1] if word[-1] in "ao" else word for word in (one, other)]
    return stems[0] == stems[1]
