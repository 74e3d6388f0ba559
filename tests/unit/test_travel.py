"""What a producer seals on its way opens at the exchange alone, for its own event, and is the record it was."""

from uuid import uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from infra.vault.travel import HEAD, Opener, Session, Unopenable
from producers import envelope
from producers.envelope import Record, Said
from referrals import check
from stream_processors.decode import Arrival, Poison, Raw, read
from tests.support.referrals import NOW, body

KEY, ID = X25519PrivateKey.generate(), b"12345678"
PUBLIC = KEY.public_key().public_bytes_raw()
EVENT = uuid4()


def said(session: Session | None) -> Said:
    return Said(EVENT, "clinic", NOW, session=session)


def submitted(session: Session | None) -> Record:
    return envelope.submitted(said(session), check.submission(body(), NOW))


def arrival(record: Record, opener: Opener | None) -> Arrival | Poison:
    return read(Raw(record.topic, 0, 0, record.key, record.value, NOW), opener)


def test_the_broker_sees_nothing_and_the_exchange_reads_the_same_record() -> None:
    plain, sealed = submitted(None), submitted(Session(ID, PUBLIC))
    assert b"Synthetic" in plain.value
    for value in (b"Synthetic", b"1980-02-01", b"Test St"):
        assert value not in sealed.value
    opener = Opener({ID: KEY})
    one, other = arrival(plain, opener), arrival(sealed, opener)
    assert isinstance(one, Arrival) and isinstance(other, Arrival)
    assert one.command == other.command
    assert one.payload_sha256 == other.payload_sha256, "sent again by another session it is the same event"


@pytest.mark.parametrize("made", ["cancelled", "responded", "consent", "screened", "spell"])
def test_every_record_with_something_personal_is_sealed(made: str) -> None:
    who, note = said(Session(ID, PUBLIC)), "canary"
    content = msgspec.json.encode({"note": note})
    records = {
        "cancelled": lambda: envelope.cancelled(who, "R-1", "client-withdrew", note),
        "responded": lambda: envelope.responded(who, EVENT, "note", note=note),
        "consent": lambda: envelope.consent_changed(who, EVENT, EVENT, "grant", content),
        "screened": lambda: envelope.screened(who, EVENT, EVENT, content),
        "spell": lambda: envelope.spell(who, EVENT, EVENT, note, NOW.date()),
    }
    assert b"canary" not in records[made]().value


def test_a_key_that_is_not_here_is_the_senders_to_mend() -> None:
    record = submitted(Session(ID, PUBLIC))
    for opener in (None, Opener({}), Opener({ID: X25519PrivateKey.generate()})):
        found = arrival(record, opener)
        assert isinstance(found, Poison) and found.reason == "unopenable", found
    opener = Opener({ID: KEY})
    assert isinstance(arrival(record, opener), Arrival)
    opener.learn({})
    assert isinstance(arrival(record, opener), Poison), (
        "a deleted key opens nothing, not even for known sessions"
    )


def test_sealed_bytes_of_another_event_or_organization_do_not_open() -> None:
    session, opener = Session(ID, PUBLIC), Opener({ID: KEY})
    made = session.sealed(b"content", "clinic", "event")
    assert opener.opened(made, "clinic", "event") == b"content"
    for organization, event in (("other", "event"), ("clinic", "other")):
        with pytest.raises(Unopenable):
            opener.opened(made, organization, event)
    for at in range(1, len(made)):
        with pytest.raises(Unopenable):
            opener.opened(made[:at] + bytes([made[at] ^ 1]) + made[at + 1 :], "clinic", "event")
    for end in (1, HEAD, HEAD + 5, len(made) - 1):
        with pytest.raises(Unopenable):
            opener.opened(made[:end], "clinic", "event")
    null = made[:9] + bytes(32) + made[HEAD:]
    with pytest.raises(Unopenable):
        opener.opened(null, "clinic", "event")


def test_an_exchange_may_insist_on_sealed_records_from_senders() -> None:
    strict = Opener({ID: KEY}, plain=False)
    refused = arrival(submitted(None), strict)
    assert isinstance(refused, Poison) and (refused.reason, "SDK" in refused.detail) == ("unopenable", True)
    assert isinstance(arrival(submitted(Session(ID, PUBLIC)), strict), Arrival)
    own = envelope.submitted(said(None), check.submission(body(), NOW), "intake.api")
    assert isinstance(arrival(own, strict), Arrival), "the exchange's own doors are inside"


def test_what_nobody_could_read_is_kept_for_as_long_as_the_key_of_the_day() -> None:
    opener, letter, value = Opener({}), uuid4(), b"a name in the clear"
    assert opener.buried(value, letter) == value, "without a key it is kept as it came"
    opener.learn({ID: KEY}, ID)
    kept = opener.buried(value, letter)
    assert kept is not None and value not in kept
    assert opener.exhumed(kept, letter) == value
    assert opener.buried(None, letter) is None and opener.exhumed(b"old", letter) == b"old"
    with pytest.raises(Unopenable):
        opener.exhumed(kept, uuid4())
    opener.learn({})
    with pytest.raises(Unopenable):
        opener.exhumed(kept, letter)
