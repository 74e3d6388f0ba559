"""Who pays on a day: the same spells in any order give the same payer, and no plan takes a member by its word alone."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_schemas import codec
from producers import envelope
from producers.envelope import Record, Said
from referrals import check, ids
from referrals.coverage import (
    ENDED,
    OTHER_PAYER,
    UNVERIFIED,
    Payer,
    Spell,
    begins,
    member_key,
    next_change,
    payer_on,
    today,
)
from referrals.state import Referral
from stream_processors.decode import Arrival, Poison, Raw, read
from stream_processors.members import member_keys
from stream_processors.outbox import outputs
from stream_processors.work import Loaded, Work
from tests.support.referrals import NOW, body, service, world
from tests.support.vault import ring

DAY = date(2026, 11, 2)
FIRST = date(2026, 1, 1)
SECRET = b"synthetic"


def spell(payer: str, first: date, last: date | None = None, version: int = 1) -> Spell:
    return Spell(payer=payer, from_=first, to=last, version=version)


@pytest.mark.parametrize(
    ("spells", "expected"),
    [
        ([], Payer("plan", None, (UNVERIFIED,))),
        ([spell("plan", FIRST)], Payer("plan", FIRST)),
        ([spell("plan", DAY, DAY)], Payer("plan", DAY)),
        ([spell("plan", FIRST, date(2026, 11, 1))], Payer(None, None, (ENDED,))),
        ([spell("plan", date(2026, 11, 3))], Payer(None, None, (ENDED,))),
        ([spell("plan", DAY, FIRST)], Payer(None, None, (ENDED,))),
        ([spell("other", FIRST)], Payer("plan", None, (UNVERIFIED,))),
        ([spell("plan", FIRST), spell("other", FIRST)], Payer("plan", FIRST)),
        ([spell("plan", FIRST, FIRST), spell("other", DAY)], Payer("other", DAY, (OTHER_PAYER,))),
        (
            [spell("plan", FIRST, FIRST), spell("third", DAY), spell("other", FIRST)],
            Payer("other", FIRST, (OTHER_PAYER,)),
        ),
        ([spell("plan", FIRST, FIRST), spell("plan", DAY)], Payer("plan", DAY)),
    ],
)
def test_who_pays(spells: list[Spell], expected: Payer) -> None:
    assert payer_on(DAY, "plan", spells) == expected


def test_nobody_named_nobody_pays_and_a_plan_that_names_itself_needs_no_proof() -> None:
    assert payer_on(DAY, None, [spell("plan", FIRST)]) == Payer(None)
    assert payer_on(DAY, "plan", [], sender="plan") == Payer("plan")
    assert payer_on(DAY, "plan", [spell("plan", FIRST, FIRST)], sender="plan").flags == (ENDED,)


DAYS = st.dates(date(2026, 1, 1), date(2026, 2, 28))
SPELLS = st.lists(
    st.builds(spell, st.sampled_from(["plan", "other", "third"]), DAYS, st.none() | DAYS), max_size=6
)


@given(SPELLS, DAYS, st.randoms())
def test_the_order_in_which_spells_became_known_does_not_matter(
    spells: list[Spell], day: date, random: Any
) -> None:
    mixed = random.sample(spells, len(spells))
    assert payer_on(day, "plan", spells) == payer_on(day, "plan", mixed)


@given(SPELLS, DAYS)
def test_a_plan_pays_only_while_it_covers_unless_nobody_has_said_anything(
    spells: list[Spell], day: date
) -> None:
    found = payer_on(day, "plan", spells)
    named = [s for s in spells if s.payer == "plan"]
    if found.payer is not None and found.flags != (UNVERIFIED,):
        assert any(s.payer == found.payer and s.covers(day) for s in spells)
    if found.payer != "plan":
        assert named, "the plan named has spoken of this member"
        assert not any(s.covers(day) for s in named), "and does not cover it on the day"
    if not named:
        assert found.payer == "plan", "other plans alone take nobody"


@given(SPELLS, DAYS)
def test_nothing_changes_before_the_next_change(spells: list[Spell], day: date) -> None:
    change = next_change(day, spells)
    last = (change or date(2026, 4, 1)) - timedelta(days=1)
    between = [day + timedelta(days=n) for n in range((last - day).days + 1)]
    assert change is None or change > day
    assert {payer_on(d, "plan", spells).payer for d in between} == {payer_on(day, "plan", spells).payer}


def test_a_day_begins_where_the_plans_count_it() -> None:
    late = datetime(2026, 11, 3, 7, 59, tzinfo=UTC)
    assert today(late) == DAY and today(late + timedelta(minutes=1)) == date(2026, 11, 3)
    assert begins(date(2026, 11, 1)).utcoffset() == timedelta(hours=-7), "before the clocks change that night"
    assert begins(DAY).utcoffset() == timedelta(hours=-8)


def test_the_last_day_of_time_is_no_error() -> None:
    assert next_change(DAY, [spell("plan", FIRST, date.max)]) is None


def test_a_key_depends_on_the_secret_the_numbering_and_the_number_however_it_is_written() -> None:
    key = member_key("plan", "CIN-1a", SECRET)
    assert key == member_key("plan", " cin 1A", SECRET)
    others = {
        member_key("plan", "CIN-1A", b"other"),
        member_key("plan", "CIN-2A", SECRET),
        member_key("other", "CIN-1A", SECRET),
        member_key("golden-health-plan", "CIN-1A", SECRET),
        key,
    }
    assert len(others) == 5
    assert member_key("golden-health-plan", "1", SECRET) == member_key("valley-care-plan", "1", SECRET)
    assert member_key("plan", "---", SECRET) != member_key("plan", "***", SECRET)


GOLDEN, VALLEY = "golden-health-plan", "valley-care-plan"
SPELL_ID = ids.event_id(GOLDEN, "spell")


def submission(member: str = "M-1", payer: str = GOLDEN) -> Record:
    said = Said(ids.event_id("clinic", "submit"), "clinic", NOW)
    content = body(coverage={"payer": payer, "member_id": member})
    return envelope.submitted(said, check.submission(content, NOW))


def covers(
    plan: str,
    first: date,
    last: date | None = None,
    said_at: datetime = NOW,
    id: UUID | None = None,
    m: str = "M-1",
) -> Record:
    said = Said(ids.event_id(plan, str((first, last, said_at))), plan, said_at)
    return envelope.spell(said, id or ids.event_id(plan, "spell"), ids.person_key(plan, "p"), m, first, last)


def played(*records: Record) -> Work:
    """Each record in a batch of its own; a spell reaches the member's stream and then the referral, as they do."""
    plans = {GOLDEN: "mco", VALLEY: "mco"}
    whole = world(service("pantry"))
    whole = whole._replace(organizations=dict(whole.organizations) | plans)
    work = Work(Loaded({}, {}, {}, dict.fromkeys(range(ids.LANES), 0), ring()), whole)
    for number, record in enumerate(records):
        work = _batch(work, record, number)
        for spell_fact in [w for w in work.history if w.kind == "coverage"]:
            work = _followed(work, spell_fact, number)
    return work


def _batch(before: Work, record: Record, number: int) -> Work:
    found: list[Arrival | Poison] = [read(Raw(record.topic, 0, number, record.key, record.value, NOW))]
    assert isinstance(found[0], Arrival), found
    keys = member_keys(found, SECRET)
    loaded = Loaded({}, before.referrals, before.streams, before.lanes, before.keys, members=keys)
    work = Work(loaded, before.world)
    work.apply(found)
    return work


def _followed(work: Work, fact: Any, number: int) -> Work:
    row = fact._asdict() | {
        n: getattr(fact.envelope, n) for n in ("event_id", "occurred_at", "at", "channel")
    }
    row |= {"actor_organization": fact.tenant, "actor_user": None, "on_behalf_of": None}
    (copy,) = [o for o in outputs(row, frozenset(), None) if o.topic == "coverage.change"]
    assert b"M-1" not in copy.value and len(copy.key) == 36
    work = _batch(work, Record(copy.topic, copy.key, 0, copy.value, UUID(int=0)), number)
    for referral in list(work.referrals):
        work = _batch(work, envelope.coverage_reached(ids.event_id("x", str(number)), NOW, referral), number)
    return work


def only(work: Work) -> Referral:
    (found,) = work.referrals.values()
    return found


def test_a_submission_is_verified_by_a_spell_and_flagged_without_one() -> None:
    assert (only(played(submission())).payer, only(played(submission())).flags) == (GOLDEN, (UNVERIFIED,))
    verified = only(played(covers(GOLDEN, FIRST), submission()))
    assert (verified.payer, verified.flags, verified.contract) == (GOLDEN, (), f"{GOLDEN}-2026")
    other = only(played(covers(GOLDEN, FIRST, FIRST), covers(VALLEY, DAY), submission()))
    assert (other.payer, other.contract, other.flags) == (VALLEY, f"{VALLEY}-2026", (OTHER_PAYER,))
    gone = only(played(covers(GOLDEN, FIRST, FIRST), submission()))
    assert (gone.payer, gone.contract, gone.flags) == (None, "exchange-default", (ENDED,))


def test_a_payer_that_is_no_plan_here_is_taken_as_named() -> None:
    found = only(played(covers(GOLDEN, FIRST, FIRST), submission(payer="somebody")))
    assert (found.payer, found.flags) == ("somebody", ("unknown-payer",))


def test_spells_and_submission_in_any_order_end_with_the_same_payer() -> None:
    said = [submission(), covers(GOLDEN, FIRST, date(2026, 10, 31)), covers(VALLEY, date(2026, 11, 1))]
    ends = {(s.payer, s.contract, s.flags) for s in (only(played(*p)) for p in permutations(said))}
    assert ends == {(VALLEY, f"{VALLEY}-2026", (OTHER_PAYER,))}


def test_a_shortened_spell_moves_the_referral_and_a_lengthened_one_brings_it_back() -> None:
    first = [submission(), covers(GOLDEN, FIRST), covers(VALLEY, DAY)]
    moved = [*first, covers(GOLDEN, FIRST, date(2026, 11, 1), NOW + timedelta(hours=1))]
    after = only(played(*moved))
    assert (after.payer, [b.payer for b in after.payers_before]) == (VALLEY, [GOLDEN])
    back = only(played(*moved, covers(GOLDEN, FIRST, None, NOW + timedelta(hours=2))))
    assert back.payer == GOLDEN and len(back.payers_before) == 2


def test_what_was_said_earlier_changes_nothing_that_was_said_later() -> None:
    now = covers(GOLDEN, FIRST, date(2026, 11, 1))
    before = covers(GOLDEN, FIRST, None, NOW - timedelta(days=1))
    work = played(now, before, submission())
    assert only(work).flags == (ENDED,)
    assert work.streams["coverage", ids.event_id(GOLDEN, "spell")].version == 1


def test_a_spell_is_recorded_without_the_members_number_in_the_clear() -> None:
    work = played(covers(GOLDEN, FIRST))
    for (kind, _), stream in work.streams.items():
        assert "M-1" not in msgspec.json.encode(stream.data).decode(), kind
    sealed = work.streams["coverage", SPELL_ID].sealed
    assert b"M-1" not in sealed and b"M-1" in work.keys.open(sealed, "coverage", SPELL_ID)


def test_another_member_under_the_same_spell_is_refused() -> None:
    work = played(covers(GOLDEN, FIRST), covers(GOLDEN, FIRST, m="M-2", said_at=NOW + timedelta(hours=1)))
    assert [i.reason for i in work.inbox] == ["invalid"]


@pytest.mark.parametrize(
    "sealed", [b"{}", b'{"member_id":" ","from":"2026-01-01"}', b'{"member_id":"1","from":"soon"}']
)
def test_a_spell_that_says_no_member_or_no_day_is_poison(sealed: bytes) -> None:
    fields = Said(SPELL_ID, GOLDEN, NOW).fields()
    fields |= {"spell_id": str(SPELL_ID), "person_key": str(SPELL_ID), "sealed": envelope.seal(sealed)}
    value = codec.encode("coverage_spell.v1", fields)
    found = read(Raw(f"intake.{GOLDEN}", 0, 0, None, value, NOW))
    assert isinstance(found, Poison) and found.reason == "invalid"
