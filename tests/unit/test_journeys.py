"""Every golden journey in memory: its steps make exactly its facts, and each party sees what the story says."""

import pytest

from tests.support.journeys.in_memory import SAID, InMemory
from tests.support.journeys.stories import Story, stories
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
