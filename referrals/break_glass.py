"""Break-glass, the rule: what an operator must say to open one organization's view of one referral, and for how long.

Comes in: a reason and minutes as somebody said them. Goes out: the reason in one line, or what is wrong. Must never let
one pass without a reason or without an end; that it has ended is judged by the database's clock at every look.
Sources: 45 CFR 164.312(a)(2)(ii), emergency access.
"""

from referrals.check import Invalid, Problem

MAX_MINUTES = 60
SHORTEST, LONGEST = 10, 500


def asked(reason: str, minutes: int) -> str:
    """The reason as it is kept: one line of printable text. Raises Invalid; `minutes` from 1 to 60."""
    kept = " ".join(reason.split())
    wrong = []
    if not SHORTEST <= len(kept) <= LONGEST:
        said = f"say why, in {SHORTEST} to {LONGEST} characters and without naming the person"
        wrong.append(Problem("/reason", said))
    elif not kept.isprintable():
        wrong.append(Problem("/reason", "holds characters that cannot be read; write plain text"))
    if not 1 <= minutes <= MAX_MINUTES:
        wrong.append(Problem("/minutes", f"a whole number from 1 to {MAX_MINUTES}; open it again if need be"))
    if wrong:
        raise Invalid(wrong)
    return kept
