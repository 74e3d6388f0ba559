"""Why a record or a command has no effect: every reason once, with what its sender should do next.

Dead letters are records that could not be read or trusted; rejections are commands that came too late or from
someone who may not. Must never mention a person.
"""

from enum import StrEnum


class DeadLetterReason(StrEnum):
    """A record that cannot be read or trusted as it is; it parks nothing (architecture 7)."""

    UNDECODABLE = "undecodable"
    UNKNOWN_SCHEMA = "unknown-schema"
    TOO_LARGE = "too-large"
    WRONG_TOPIC = "wrong-topic"
    TENANT_MISMATCH = "tenant-mismatch"
    UNOPENABLE = "unopenable"
    ID_MISMATCH = "id-mismatch"
    INVALID = "invalid"
    ID_CONFLICT = "id-conflict"
    OUR_FAILURE = "our-failure"
    QUARANTINED = "quarantined"


class RejectionReason(StrEnum):
    """A command that was read and has no effect; answered by event id."""

    UNKNOWN_REFERRAL = "unknown-referral"
    UNKNOWN_HOP = "unknown-hop"
    UNKNOWN_SERVICE = "unknown-service"
    UNKNOWN_LINK = "unknown-link"
    UNKNOWN_PERSON = "unknown-person"
    NOT_PERMITTED = "not-permitted"
    STALE = "stale"
    ILLEGAL = "illegal"
    INVALID = "invalid"
    CLOSED = "closed"
    TAKEN = "taken"
    NO_CONSENT = "no-consent"
    NOT_AUTHORIZED = "not-authorized"


NEXT_STEP: dict[str, str] = {
    "undecodable": "encode the record with the schema it names and send it again",
    "unknown-schema": "use a schema id of avro_schemas/ids.json",
    "too-large": "send at most 1 MiB",
    "wrong-topic": "send this kind of record to the topic that topics.yaml names",
    "tenant-mismatch": "send only your own organization's records; the topic says who you are",
    "unopenable": "fetch the exchange's key anew, seal the record to it and send it again",
    "id-mismatch": "compute the referral id from your organization and the sender_referral_id",
    "invalid": "correct the fields named in the detail and send it again with a new event id",
    "id-conflict": "the same event id was sent with another body; use a new event id for a new request",
    "quarantined": "do not send it again; tell the operator how the record was made",
    "our-failure": "nothing to do; the operator has been told and will replay it",
    "unknown-referral": "send the referral before anything about it",
    "unknown-hop": "name a hop of this referral that is yours",
    "unknown-service": "pick an active service of the directory",
    "unknown-link": "read the list of links again and name one of them",
    "unknown-person": "check the organization and its own id of the person",
    "not-permitted": "only the party whose turn it is may do this",
    "stale": "read the referral again and answer the version you see",
    "illegal": "read the referral again; its status does not allow this action",
    "closed": "the referral is closed; send a new one",
    "no-consent": "ask the person for a consent that covers this, record it, then try again",
    "not-authorized": "the plan must approve first; next_action says who must act, and by when",
    "taken": "another organization helps with this referral; do not contact the person",
}

# What each dead letter means and whose it is to mend, for docs/dead-letters.md.
DEAD_LETTER_MEANS: dict[DeadLetterReason, tuple[str, str]] = {
    DeadLetterReason.UNDECODABLE: ("sender", "the value is not framed Avro, or not of the schema it names"),
    DeadLetterReason.UNKNOWN_SCHEMA: ("sender", "the schema id is none of ours"),
    DeadLetterReason.TOO_LARGE: ("sender", "the value is larger than we read"),
    DeadLetterReason.WRONG_TOPIC: ("sender", "a record of ours, in a topic that does not carry its kind"),
    DeadLetterReason.TENANT_MISMATCH: ("sender", "the record says another organization than its topic"),
    DeadLetterReason.UNOPENABLE: (
        "sender",
        "what is personal was sealed to a key that the exchange does not have, or no longer; or was altered",
    ),
    DeadLetterReason.ID_MISMATCH: (
        "sender",
        "the referral id is not the one of its sender and the sender's own id",
    ),
    DeadLetterReason.INVALID: ("sender", "a field cannot be, whatever the state of the referral"),
    DeadLetterReason.ID_CONFLICT: ("sender", "an event id that was used before, with another body"),
    DeadLetterReason.OUR_FAILURE: (
        "operator",
        "the exchange itself failed to read this record",
    ),
    DeadLetterReason.QUARANTINED: (
        "operator",
        "reading it ended a worker; it was tried three times in a process of its own and is kept unread",
    ),
}
