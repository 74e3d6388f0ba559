"""Every golden journey in memory: its steps make exactly its facts, and each party sees what the story says."""

import shutil
from pathlib import Path

import pytest

from tests.support.journeys.in_memory import InMemory
from tests.support.journeys.saying import SAID
from tests.support.journeys.stories import FOLDER, Story, read, stories
from tests.support.journeys.telling import by_calendar, differences, wrong_facts


@pytest.mark.parametrize("story", stories(), ids=lambda story: story.name)
def test_a_journey_goes_as_told(story: Story) -> None:
    play, wrong = InMemory(story), list[str]()
    for step in story.told.steps:
        play.play(step)
        for name, by_step in story.expected.facts.items():
            wrong += [
                f"step {step.step}, {name}: {w}"
                for w in wrong_facts(
                    by_calendar(by_step.get(step.step, []), exact=True), play.told(name, step.step)
                )
            ]
        for sight in story.expected.sees:
            if sight.after == step.step:
                found = play.seen(sight.who, sight.referral)
                wrong += [
                    f"step {step.step}, {sight.who} sees {sight.referral}: {d}"
                    for d in differences(by_calendar(sight.sees, exact=True), found)
                ]
    assert not wrong, "\n".join(wrong)
    assert {name: str(play.state(name).status) for name in story.expected.facts} == story.expected.ends
    assert play.refused == story.expected.refused


def test_no_two_journeys_share_a_number() -> None:
    numbers = [s.name.partition("_")[0] for s in stories()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("story.yaml", "who: riverside-clinic", "whom: riverside-clinic"),
        ("story.yaml", "step: 2", "step: 3"),
        ("story.yaml", "who: valley-plate-kitchen", "who: nobody-we-know"),
        ("expected.yaml", "facts:", "fact:"),
        ("expected.yaml", "  R-1:\n    1:", "  R-9:\n    1:"),
        ("expected.yaml", "ends: {R-1: completed}", "ends: {R-1: completed, R-2: completed}"),
        ("expected.yaml", "- after: 6", "- after: 60"),
    ],
)
def test_what_does_not_belong_in_a_story_fails(tmp_path: Path, file: str, old: str, new: str) -> None:
    folder = tmp_path / "01_happy_path"
    shutil.copytree(FOLDER / folder.name, folder)
    assert read(folder).name == folder.name
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"."):
        read(folder)


def test_a_file_that_nobody_reads_fails(tmp_path: Path) -> None:
    folder = tmp_path / "01_happy_path"
    shutil.copytree(FOLDER / folder.name, folder)
    (folder / "notes.txt").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="no more and no less"):
        read(folder)


def test_everything_the_framework_can_do_is_done_in_a_journey() -> None:
    assert {step.does for story in stories() for step in story.told.steps} == SAID.keys()
    stage = stories()[0].stage
    acting = {s.who for story in stories() for s in story.told.steps}
    acting |= {s.who for story in stories() for s in story.expected.sees}
    asked = {
        str(fact.get("hop-requested", {}).get("organization"))
        for story in stories()
        for steps in story.expected.facts.values()
        for facts in steps.values()
        for fact in facts
    }
    assert stage.organizations.keys() <= acting | asked, "world.yaml lists nobody who does nothing"
