"""Made-up people whose every value can be looked for, in whatever form it might have leaked.

Comes in: a number. Goes out: an identity, its submission, and the bytes to look for. No value of one is a part of
anything else, so a hit is a leak. Phone numbers are of the range kept for fiction (555-01xx).
"""

import base64
import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote

SOUNDS = ("qua", "zhi", "vro", "xel", "ypt", "wux", "jor", "kiz", "fyn", "thé")
FORMS = ("as it is", "in JSON", "in a URL", "in base64", "as SHA-256")


class Identity(NamedTuple):
    """One person; `number` makes every value its own."""

    number: int

    @property
    def given_name(self) -> str:
        return f"Té{_word(self.number)}".capitalize()

    @property
    def family_name(self) -> str:
        return f"Ô{_word(self.number + 500)}-{_word(self.number + 77)}"

    @property
    def birth_date(self) -> str:
        return f"19{30 + self.number % 50}-{1 + self.number // 50 % 12:02}-{1 + self.number % 28:02}"

    @property
    def phone(self) -> str:
        return f"+1{210 + self.number // 100 % 700}55501{self.number % 100:02}"

    @property
    def address(self) -> str:
        return f"{4000 + self.number} {_word(self.number + 250).capitalize()} Quagmire Lane"

    @property
    def note(self) -> str:
        return f"sleeps in a car behind pier {_word(self.number + 125)} since August"

    @property
    def member_id(self) -> str:
        return f"MBR-QZX-{700000 + self.number}"

    @property
    def person_id(self) -> str:
        return f"MRN-QZX-{300000 + self.number}"

    @property
    def email(self) -> str:
        return f"{_word(self.number)}.{_word(self.number + 500)}@mail.quagmire.example"

    def values(self) -> tuple[str, ...]:
        """Everything that tells who it is."""
        return (
            f"{self.given_name} {self.family_name}",
            self.given_name,
            self.family_name,
            self.birth_date,
            self.phone,
            self.address,
            self.note,
            self.member_id,
            self.person_id,
            self.email,
        )

    def submission(self, sender_referral_id: str, payer: str) -> dict[str, Any]:
        """A referral for that person; the sender's own id of it is not one of the person's."""
        return {
            "sender_referral_id": sender_referral_id,
            "person": {
                "person_id": self.person_id,
                "given_name": self.given_name,
                "family_name": self.family_name,
                "birth_date": self.birth_date,
                "phone": self.phone,
                "email": self.email,
                "address": {"line": self.address, "postal_code": "94607", "county": "Alameda", "state": "CA"},
            },
            "need": {"domain": "food-insecurity", "note": self.note},
            "coverage": {"payer": payer, "member_id": self.member_id},
            "consent": {"status": "active"},
        }


def forms(value: str) -> Iterator[tuple[str, bytes]]:
    """The value in every form it might leak in; base64 at each of the three places it may begin inside a text."""
    raw = value.encode()
    yield FORMS[0], raw
    escaped = json.dumps(value)[1:-1].encode()
    if escaped != raw:
        yield FORMS[1], escaped
    if (quoted := quote(value, safe="").encode()) != raw:
        yield FORMS[2], quoted
    for shift in range(3):
        inside = base64.b64encode(b"\0" * shift + raw)[(shift * 8 + 5) // 6 :].rstrip(b"=")
        whole = inside[: -1 if (len(raw) + shift) % 3 else None]  # the last letter depends on what follows
        yield FORMS[3], whole
        if (url_safe := whole.translate(bytes.maketrans(b"+/", b"-_"))) != whole:
            yield FORMS[3], url_safe
    for text in {value, value.lower()}:
        yield FORMS[4], sha256(text.encode()).hexdigest().encode()


def _word(number: int) -> str:
    """A word of nobody's, of ten sounds, each number its own."""
    return "".join(SOUNDS[int(digit)] for digit in f"{number:04}")
