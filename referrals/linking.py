"""One person known to two senders: proposed by the exchange, confirmed or rejected by the hub, never merged.

Comes in: two persons of two senders as compared; the link's stream and what is asked of it. Goes out: the next fact of
the stream `person-link`, without a value of theirs. Pure. A rejected link may be confirmed later, and back.
"""

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from referrals import commands as c
from referrals.errors import RejectionReason as No
from referrals.matching import Agreement

if TYPE_CHECKING:
    from referrals.streams import Stream

KIND = "person-link"
PROPOSED = "person-link-proposed"
DECIDED = "person-link-decided"
ANSWERS = {"confirm": "confirmed", "reject": "rejected"}


def link_id(one: UUID, other: UUID) -> UUID:
    """The id of the link of two persons, whichever is named first."""
    first, second = sorted((one, other))
    return uuid5(NAMESPACE_URL, f"urn:refex:person-link:{first}:{second}")


def proposal(one: tuple[UUID, str], other: tuple[UUID, str], found: Agreement) -> dict[str, Any]:
    """The data of a proposal: the two persons with their senders, and which fields agree."""
    (first, sender), (second, sender2) = sorted((one, other))
    return {
        "persons": [str(first), str(second)],
        "senders": [sender, sender2],
        "status": "proposed",
        "score": found.score,
        "same": list(found.same),
        "alike": list(found.alike),
        "differing": list(found.differing),
    }


def record(
    before: "Stream | None", command: c.RecordFact, envelope: c.Envelope
) -> c.RecordFact | c.Rejection | None:
    """The fact to record; None where it is so already (a pair is proposed once, whatever was decided since)."""
    if command.type == PROPOSED:
        return command if before is None else None
    if before is None:
        return c.Rejection(No.UNKNOWN_LINK, "no such link; read the list again")
    status = ANSWERS.get(str(command.data.get("answer")))
    if status is None:
        return c.Rejection(No.INVALID, "answer must be confirm or reject")
    if before.data["status"] == status:
        return None
    data = {**before.data, "status": status, "reason": command.data.get("reason")}
    return c.RecordFact(KIND, command.stream_id, DECIDED, data)
