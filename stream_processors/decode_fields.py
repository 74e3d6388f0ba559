"""What the readers of records share: the content of a field as it is meant, and how to say what is wrong with it.

Comes in: decoded fields. Goes out: content, or Wrong with a reason of the dead letters. No I/O.
"""

from typing import Any

import msgspec

from infra.vault.travel import TRAVELLING, Opener, Unopenable
from producers.envelope import PLAIN, unseal
from referrals.errors import DeadLetterReason as Bad

Fields = dict[str, Any]


class Wrong(ValueError):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def json_of(content: bytes) -> dict[str, Any]:
    if b"\\u0000" in content:
        raise Wrong(Bad.INVALID, "a field holds a NUL; remove it")
    return msgspec.json.decode(content, type=dict[str, Any]) if content else {}


def text_of(sealed: bytes) -> str | None:
    return unseal(sealed).decode() or None


def plain(sealed: bytes, fields: Fields, opener: Opener | None, sender: str | None) -> bytes:
    """The sealed field as if it had come plain: the same content is the same record, however it was sealed."""
    if sealed[:1] != TRAVELLING:
        if sender is not None and opener is not None and not opener.plain:
            raise Wrong(Bad.UNOPENABLE, "this exchange takes sealed records alone; give the SDK its address")
        return sealed
    if opener is None:
        raise Wrong(Bad.UNOPENABLE, "sealed content, and no key here")
    try:
        return PLAIN + opener.opened(sealed, fields["organization"], fields["event_id"])
    except Unopenable as error:
        raise Wrong(Bad.UNOPENABLE, str(error)) from None
