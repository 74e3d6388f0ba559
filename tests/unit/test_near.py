"""However many of a batch share a name and a birth date, each is compared with a few of them."""

from uuid import UUID, uuid4

import pytest

from producers import envelope
from referrals import check, duplicates
from referrals.duplicates import People
from referrals.matching import Agreement, agreement, match_keys
from referrals.submission import Person
from stream_processors.near import MOST, Near
from stream_processors.work import Loaded, Work
from tests.support.load import synthetic
from tests.support.referrals import NOW, service, world
from tests.support.vault import ring
from tests.unit.test_work import records, said


def test_of_each_key_the_newest_few_are_found() -> None:
    key, ids = uuid4(), [uuid4() for _ in range(MOST + 3)]
    near = Near({key: set(ids[:2])})
    for id in ids[2:]:
        near.note((key,), id)
        near.note((key,), id)
    assert len(near[key]) == MOST
    assert near[key][-1] == ids[-1]


def test_a_batch_of_one_name_compares_few_records_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    number, compared = 3 * MOST, 0

    def counting(one: Person, other: Person) -> Agreement | None:
        nonlocal compared
        compared += 1
        return agreement(one, other)

    made, keys = [], dict[tuple[str, UUID], tuple[UUID, ...]]()
    for n in range(number):
        submission, event = check.submission(synthetic(n), NOW), said("clinic", f"same-{n}")
        made.append(envelope.submitted(event, submission))
        keys["clinic", event.event_id] = match_keys(submission.person, b"k" * 32)
    found = records(*made)
    monkeypatch.setattr(duplicates, "agreement", counting)
    lanes = {r.lane: 0 for r in found}
    loaded = Loaded(seen={}, referrals={}, streams={}, lanes=lanes, keys=ring(), people=People(keys))
    work = Work(loaded, world(service("pantry")))
    work.apply(found)
    assert len(work.referrals) == number
    assert 0 < compared <= number * (MOST + 1)
