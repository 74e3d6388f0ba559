"""Contract measures: the same rows give the same numbers; the young are not missed; the few are not shown."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals import measures
from referrals.evolve import HOP_AFTER
from referrals.measures import Mark, Row, counted, definitions, measure, quantile, suppressed
from referrals.transitions import STEPS, TRANSITIONS
from referrals.words import TERMINAL

START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=365)


def row(number: int, accepted_h: float | None = None, closed_h: float | None = None) -> Row:
    at = START + timedelta(hours=number)
    return Row(
        UUID(int=number),
        "food-insecurity",
        at,
        None if accepted_h is None else at + timedelta(hours=accepted_h),
        None if closed_h is None else at + timedelta(hours=closed_h),
    )


ROWS = [row(1, 2, 50), row(2, 4), row(3, 30, 40), row(4)]


@pytest.mark.parametrize(
    ("id", "numerator", "denominator", "value"),
    [
        ("received", 4, 4, 4.0),
        ("accepted", 3, 4, 0.75),
        ("closed", 2, 4, 0.5),
        ("time-to-accept", 3, 3, 4.0),
        ("time-to-accept-p90", 3, 3, 24.8),
    ],
)
def test_golden_case(id: str, numerator: int, denominator: int, value: float) -> None:
    found = measure(id, ROWS, LATER)
    assert (found.numerator, found.denominator, found.value) == (numerator, denominator, value)


@pytest.mark.parametrize(
    ("id", "target", "met"),
    [
        ("accepted", 0.75, True),
        ("accepted", 0.76, False),
        ("time-to-accept", 4.0, True),
        ("time-to-accept", 3.9, False),
        ("time-to-accept", 48.0, True),
    ],
)
def test_a_target_is_a_floor_for_shares_and_a_ceiling_for_hours(id: str, target: float, met: bool) -> None:
    assert measure(id, ROWS, LATER, {id: target}).met is met


def test_a_young_referral_is_immature_and_no_miss() -> None:
    found = measure("accepted", [row(1, 2), row(2)], START + timedelta(hours=10))
    assert (found.numerator, found.denominator, found.immature, found.value) == (1, 1, 1, 1.0)


def test_nothing_measured_is_no_value() -> None:
    found = measure("accepted", [], LATER, {"accepted": 0.5})
    assert (found.value, found.met) == (None, None)
    assert measure("received", [], LATER).value == 0.0


@given(st.permutations(ROWS))
def test_the_order_of_rows_does_not_matter(rows: list[Row]) -> None:
    for id in definitions():
        assert measure(id, rows, LATER) == measure(id, ROWS, LATER)


@pytest.mark.parametrize("id", list(definitions()))
def test_the_list_behind_a_figure_adds_up_to_it(id: str) -> None:
    found, listed = measure(id, ROWS, LATER), counted(definitions()[id], ROWS, LATER)
    assert sum(c.hit for c in listed) == found.numerator
    assert len(listed) == len(ROWS)


def test_figures_of_few_people_are_withheld() -> None:
    many = [row(n, 1) for n in range(40)]
    assert suppressed(measure("accepted", many, LATER)).value == 1.0
    nearly = [*many[:30], *(row(100 + n) for n in range(5))]
    assert suppressed(measure("accepted", nearly, LATER)).numerator is None
    assert suppressed(measure("received", ROWS, LATER)).value is None
    for people, value in ((10, None), (11, 11.0)):
        assert suppressed(measure("received", [row(n) for n in range(people)], LATER)).value == value


def test_quantiles() -> None:
    assert quantile([], 0.5) is None
    assert quantile([1.0], 0.9) == 1.0
    assert quantile([1.0, 2.0], 0.5) == 1.5


def test_a_withheld_outcome_counts_as_closed_and_is_counted_apart() -> None:
    rows = [row(1, 2, 50), row(2, 4, 60)._replace(withheld=True), row(3)._replace(withheld=True)]
    closed = measure("closed", rows, LATER)
    assert (closed.numerator, closed.withheld) == (2, 1)
    assert measure("accepted", rows, LATER).withheld == 0


def marks(*said: tuple[str, float] | tuple[str, float, str]) -> Row:
    """The row of facts given as type, hours after receipt, and the status they say."""
    made = [Mark(s[0], START + timedelta(hours=s[1]), s[2] if len(s) > 2 else None) for s in said]
    return measures.row(UUID(int=1), "food-insecurity", START, made)


def hours(when: datetime | None) -> float | None:
    return None if when is None else (when - START).total_seconds() / 3600


ACCEPTED = ("hop-accepted", 2.0)


@pytest.mark.parametrize(
    ("said", "closed", "helped"),
    [
        ([ACCEPTED, ("hop-completed", 5.0)], 5.0, 5.0),
        ([ACCEPTED, ("hop-failed", 5.0)], 5.0, None),
        ([ACCEPTED, ("hop-fell-through", 5.0)], None, None),
        ([ACCEPTED, ("hop-completed", 5.0), ("hop-reopened", 6.0)], None, None),
        ([ACCEPTED, ("hop-failed", 5.0), ("hop-reopened", 6.0), ("hop-completed", 9.0)], 9.0, 9.0),
        ([ACCEPTED, ("hop-completed", 5.0), ("outcome-corrected", 7.0, "failed")], 5.0, None),
        ([ACCEPTED, ("hop-failed", 5.0), ("outcome-corrected", 7.0, "completed")], 5.0, 5.0),
        ([("referral-closed", 4.0, "failed")], 4.0, None),
        ([("referral-closed", 4.0, "failed"), ("referral-reopened", 5.0)], None, None),
        ([("referral-cancelled", 3.0)], 3.0, None),
    ],
)
def test_a_referral_is_closed_by_its_last_end_and_helped_by_its_outcome_as_corrected(
    said: list[tuple[str, float]], closed: float | None, helped: float | None
) -> None:
    found = marks(*said)
    assert (hours(found.closed_at), hours(found.helped_at)) == (closed, helped)
    assert hours(found.accepted_at) == (2.0 if ACCEPTED in said else None)


def test_of_an_offer_to_several_only_the_acceptance_counts() -> None:
    found = marks(("hop-superseded", 2.0), ("hop-superseded", 2.0), ACCEPTED, ("hop-accepted", 30.0))
    assert found == marks(ACCEPTED), "and the first one alone"


def test_what_was_entered_in_error_is_excluded_everywhere() -> None:
    wrong = marks(ACCEPTED, ("hop-completed", 5.0), ("referral-entered-in-error", 9.0))
    for id, definition in definitions().items():
        alone, beside = measure(id, ROWS, LATER), measure(id, [*ROWS, wrong], LATER)
        assert (alone.numerator, alone.denominator, alone.value) == (
            beside.numerator,
            beside.denominator,
            beside.value,
        )
        assert beside.excluded == (alone.excluded or 0) + 1
        assert wrong.referral not in {c.referral for c in counted(definition, [wrong], LATER)}


def test_every_fact_that_ends_a_referral_or_opens_it_again_is_a_mark() -> None:
    steps = [step for step in STEPS.values() if TERMINAL & (set(step.targets) | step.sources)]
    ends = {s.event for s in steps if TERMINAL & set(s.targets)} | {STEPS["reopen"].event}
    ends |= {event for event, (_, status) in HOP_AFTER.items() if status in TERMINAL}
    ends |= {row.event for row in TRANSITIONS.values() if row.window is not None}
    assert {event.__struct_config__.tag for event in ends} <= measures.MARKS.keys()
