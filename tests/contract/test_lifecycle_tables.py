"""The life cycle is said once: document, rules, pages and the database's checks are the same tables."""

import re
from importlib import resources

import pytest

from api.pages import cards, marks
from docs.lifecycle import lifecycle
from referrals.events import Event
from referrals.evolve import HOP_AFTER
from referrals.transitions import STEPS, TRANSITIONS
from referrals.words import HELD, TERMINAL, HopStatus, ReferralStatus

DOCUMENT = lifecycle()
DIAGRAM = DOCUMENT.split("stateDiagram-v2")[1].split("```")[0]
SQL = "\n".join(
    p.read_text(encoding="utf-8")
    for p in sorted(resources.files("infra").joinpath("migrations").iterdir(), key=lambda p: p.name)
)


def test_the_diagram_shows_the_whole_transition_table() -> None:
    arrows = {
        (m[1], action) for m in re.finditer(r"(\w+) --> \w+: (.+)", DIAGRAM) for action in m[2].split(", ")
    }
    for action, row in TRANSITIONS.items():
        for source in row.sources:
            drawn = (source.replace("-", "_"), action) in arrows
            assert drawn == (row.target is not None), (source, action)
    for status in HopStatus:
        assert status.replace("-", "_") in DIAGRAM


def rows(heading: str) -> dict[str, list[str]]:
    """The cells of a table of the document, by its first cell, in plain text."""
    part = DOCUMENT.split(heading)[1].split("\n#")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")][2:]
    cells = [[c.strip().replace("`", "") for c in line.strip("|").split("|")] for line in lines]
    return {row[0]: row for row in cells}


def test_the_document_lists_every_answer_with_its_statuses() -> None:
    listed = rows("## A hop")
    assert listed.keys() == TRANSITIONS.keys()
    for action, row in TRANSITIONS.items():
        said = set(HopStatus) if listed[action][1] == "any" else set(listed[action][1].split(", "))
        assert said == {str(s) for s in row.sources}, action
        assert (listed[action][6] == "yes") == row.hub


def test_the_document_lists_every_step_of_the_whole_referral() -> None:
    listed = rows("## A referral\n")
    assert listed.keys() == STEPS.keys()
    for name, step in STEPS.items():
        said = set(ReferralStatus) if listed[name][2] == "any" else set(listed[name][2].split(", "))
        assert said == {str(s) for s in step.sources}, name
        assert listed[name][1] == step.who


def checked(name: str) -> set[str]:
    """The statuses that a check constraint of the migrations allows."""
    found = re.search(rf"add constraint {name} check \(status in \((.*?)\)\)", SQL, re.DOTALL)
    assert found is not None, name
    return set(re.findall(r"'([a-z-]+)'", found[1]))


def test_the_database_checks_the_same_statuses() -> None:
    assert checked("hop_status") == {str(s) for s in HopStatus}
    assert checked("referral_status") == {str(s) for s in ReferralStatus}


def test_the_database_holds_one_turn_at_most() -> None:
    index = re.search(r"create unique index hop_held on hop \(referral_id\) where status in \((.*?)\)", SQL)
    assert index is not None
    assert set(re.findall(r"'([a-z-]+)'", index[1])) == {str(s) for s in HELD}


@pytest.mark.parametrize("event", HOP_AFTER, ids=lambda event: event.__name__)
def test_a_hops_status_is_as_far_as_the_referral_or_over(event: type[Event]) -> None:
    hop, referral = HOP_AFTER[event]
    assert str(hop) == str(referral) or (hop not in HELD and referral not in TERMINAL)


def test_every_status_is_reached_and_shown() -> None:
    reached = {s for step in STEPS.values() for s in step.targets} | {r for _, r in HOP_AFTER.values()}
    elsewhere = {ReferralStatus.REFUSED}  # by the exchange, at submission
    assert reached | elsewhere == set(ReferralStatus)
    assert set(marks.LOOKS) == set(HopStatus) | set(ReferralStatus)
    assert {action for b in cards.BUTTONS for action in b.needs} <= TRANSITIONS.keys()
