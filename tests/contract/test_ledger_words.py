"""The oracle's tables are its own; they must still know every fact that moves a hop, and every status there is."""

import pytest

from cli import ledger_words as oracle
from referrals.evolve import HOP_AFTER
from referrals.words import HELD, HopStatus, ReferralStatus

MOVES = {str(event.__struct_config__.tag): str(after[0]) for event, after in HOP_AFTER.items()}


def test_every_fact_that_moves_a_hop_is_known_to_the_oracle() -> None:
    known = {name: status for name, status in oracle.HOP_AFTER.items() if name in MOVES}
    assert known == MOVES, "write the new fact down in cli/ledger_words.py, from the reference"


def test_every_status_is_known_and_none_besides() -> None:
    assert set(oracle.REFERRAL) - {None} == set(map(str, ReferralStatus))
    assert set(oracle.HOP) - {None} == set(map(str, HopStatus))
    assert set(oracle.HELD) == set(map(str, HELD))


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, "requested"), ("requested", "completed"), ("cancelled", "requested"), ("received", "on-hold")],
)
def test_a_step_that_leaves_something_out_is_not_legal(before: str | None, after: str) -> None:
    assert not oracle.step_is_legal(before, after)


@pytest.mark.parametrize(
    ("before", "after"), [(None, "accepted"), ("requested", "completed"), ("rejected", "accepted")]
)
def test_a_hop_that_leaves_something_out_is_not_legal(before: str | None, after: str) -> None:
    assert not oracle.hop_is_legal(before, after)
