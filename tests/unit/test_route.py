"""A routing decision explains itself: every service of the need is named or counted, in any order of the directory."""

from hypothesis import given
from hypothesis import strategies as st

from referrals.wanted import policy
from tests.support.referrals import COUNTY, ZIP, service
from tests.support.route import decided


def test_of_those_out_of_reach_a_few_are_named_and_the_rest_counted() -> None:
    many = [service(f"far-{n:03}", counties=("elsewhere",)) for n in range(70)]
    decision = decided(service("pantry"), *many)
    assert len(decision.candidates) == 1 + policy().named_outside
    assert decision.others_excluded == {"outside-area": 65}


def test_out_of_reach_the_nearest_are_named_and_the_preferred_first() -> None:
    far = [service(f"far-{n:02}", counties=("elsewhere",), latitude=30.0 - n) for n in range(30)]
    decision = decided(*far, preferred="far-29")
    named = [c.organization for c in decision.candidates]
    assert named == ["far-29", *(f"far-{n:02}" for n in range(4))]
    assert decision.others_excluded == {"outside-area": 25}
    assert "elsewhere" in str(decision.candidates[0].excluded_by)


def test_more_than_fifty_in_reach_are_counted_per_rule() -> None:
    many = [service(f"p-{n:03}", languages=("en",), latitude=38.0 + n / 100) for n in range(60)]
    decision = decided(service("pantry"), *many, service("far", counties=("elsewhere",)))
    assert decision.chosen == service("pantry").id
    assert len(decision.candidates) == 50
    assert {c.organization for c in decision.candidates} == {"pantry", *(f"p-{n:03}" for n in range(49))}
    assert decision.others_excluded == {"language": 11, "outside-area": 1}


@given(
    st.lists(st.tuples(*[st.booleans()] * 6), max_size=80), st.booleans(), st.sampled_from([ZIP, None, "1"])
)
def test_every_service_of_the_need_is_accounted_for(
    kinds: list[tuple[bool, ...]], only: bool, postal_code: str | None
) -> None:
    services = [
        service(
            f"s{n}",
            counties=(COUNTY,) * county,
            postal_codes=(ZIP,) * zip_,
            statewide=whole,
            active=active,
            languages=("es",) if speaks else ("en",),
            domains=("food-insecurity",) if food else ("homelessness",),
        )
        for n, (county, zip_, whole, active, speaks, food) in enumerate(kinds)
    ]
    decision = decided(*services, postal_code=postal_code, preferred="s1", preferred_only=only)
    names = [c.service for c in decision.candidates]
    food = {s.id for s in services if "food-insecurity" in s.domains}
    fit = [c for c in decision.candidates if not c.excluded_by]
    assert len(set(names)) == len(names) <= 50
    assert set(names) <= food
    assert decision.chosen == (fit[0].service if fit else None)
    unnamed = len(food) - len(names)
    assert sum(decision.others_excluded.values()) == unnamed or (
        len(fit) == 50 and sum(decision.others_excluded.values()) <= unnamed
    )


def test_the_order_of_the_directory_changes_nothing() -> None:
    services = [service(f"pantry-{n}") for n in range(6)]
    assert decided(*services) == decided(*reversed(services))
