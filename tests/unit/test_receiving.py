"""A person who is helped already with the same need: flagged or excluded, as the policy says, across one batch too."""

from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from producers import envelope
from producers.envelope import Said
from referrals import check, ids, submitting
from referrals import events as e
from referrals.placing import World
from referrals.receiving import Help, receiving
from referrals.standing import Standings
from referrals.wanted import policy
from stream_processors.decode import Raw, read
from stream_processors.work import Loaded, Work
from tests.support.referrals import NOW, REFERRAL, body, service, submit, world
from tests.support.referrals import envelope as said_by
from tests.support.vault import ring

NEED = (ids.person_key("clinic", "P-1"), "food-insecurity")
OTHER = uuid4()
EXCLUDE = msgspec.structs.replace(policy(), already_receiving="exclude")


def helped(*helps: Help, standings: Standings | None = None) -> World:
    made = world(service("pantry"), service("kitchen", latitude=38.5))
    return made._replace(helps={NEED: helps}, standings=standings or Standings())


def facts(made: World) -> tuple[e.ReferralReceived, list[str]]:
    """What was received, and who is asked."""
    found = submitting.submit(None, submit(), said_by("clinic"), made)
    assert isinstance(found, tuple)
    first = found[0].event
    assert isinstance(first, e.ReferralReceived)
    return first, [f.event.organization for f in found if isinstance(f.event, e.HopRequested)]


@pytest.mark.parametrize(
    ("one", "counts"),
    [
        (Help(OTHER, "pantry", None), True),
        (Help(OTHER, "pantry", NOW - timedelta(days=29)), True),
        (Help(OTHER, "pantry", NOW - timedelta(days=31)), False),
        (Help(REFERRAL, "pantry", None), False),
    ],
    ids=["still", "lately", "long ago", "by this referral"],
)
def test_only_help_by_another_referral_now_or_lately_counts(one: Help, counts: bool) -> None:
    assert receiving([one], REFERRAL, NOW, 30) == ({"pantry"} if counts else set())
    received, asked = facts(helped(one))
    assert ("already-receiving" in received.flags) is counts
    assert asked == ["pantry"], "flagged, and sent all the same"
    _, asked = facts(helped(one, standings=Standings(EXCLUDE)))
    assert asked == (["kitchen"] if counts else ["pantry"])


def test_what_the_sender_says_excludes_whatever_the_policy() -> None:
    person = body()["person"] | {"attributes": [{"code": "already-receiving", "value": "pantry"}]}
    found = submitting.submit(None, submit(person=person), said_by("clinic"), helped())
    assert isinstance(found, tuple)
    assert [f.event.organization for f in found if isinstance(f.event, e.HopRequested)] == ["kitchen"]


def test_a_later_record_of_the_batch_sees_who_has_accepted_an_earlier_one() -> None:
    def said(organization: str, name: str) -> Said:
        return Said(ids.event_id(organization, name), organization, NOW)

    records = [
        envelope.submitted(said("clinic", "1"), check.submission(body("R-1"), NOW)),
        envelope.responded(said("pantry", "2"), REFERRAL, "accept"),
        envelope.submitted(said("clinic", "3"), check.submission(body("R-2"), NOW)),
    ]
    arrivals = [read(Raw(r.topic, 0, n, r.key, r.value, NOW)) for n, r in enumerate(records)]
    work = Work(
        Loaded({}, {}, {}, dict.fromkeys((a.lane for a in arrivals), 0), ring()), world(service("pantry"))
    )
    work.apply(arrivals)
    flags = {r.sender_referral_id: r.flags for r in work.referrals.values()}
    assert "already-receiving" not in flags["R-1"] and "already-receiving" in flags["R-2"]
