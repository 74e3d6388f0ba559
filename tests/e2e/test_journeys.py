"""Every golden journey on real Kafka and Postgres, through the doors: the same folders as in memory."""

import pytest

from avro_schemas import topics
from tests.support.audit import read_all
from tests.support.journeys.on_kafka import OnKafka
from tests.support.journeys.stories import Story, stories
from tests.support.journeys.telling import by_calendar, differences
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real


@pytest.mark.parametrize("story", stories(), ids=lambda story: story.name)
async def test_a_journey_goes_as_told(story: Story, exchange: RunningExchange) -> None:
    play = OnKafka(story, exchange)
    await play.prepare()
    for step in story.told.steps:
        await play.play(step)
        for sight in story.expected.sees:
            if sight.after == step.step:
                wrong = differences(
                    by_calendar(sight.sees, exact=False), await play.seen(sight.who, sight.referral)
                )
                assert not wrong, f"step {step.step}, {sight.who} sees {sight.referral}: {'; '.join(wrong)}"
    assert play.refused == story.expected.refused
    async with exchange.database() as database:
        for name, end in story.expected.ends.items():
            found = await database.fetchval("select status from referral where id = $1", story.referral(name))
            assert found == end


async def test_what_is_published_of_the_journeys_is_what_was_recorded(exchange: RunningExchange) -> None:
    """After the stories above: `referral.event` holds their facts, each once, in order."""
    told = {}
    for story in stories():
        for name, by_step in story.expected.facts.items():
            types = [type for n in sorted(by_step) for fact in by_step[n] for type in fact]
            told[str(story.referral(name))] = [t for t in types if t not in ELSEWHERE]

    async def published() -> bool:
        found: dict[str, list[str]] = {referral: [] for referral in told}
        for record in await read_all(exchange.kafka_login(), topics.REFERRAL_EVENT):
            if record["referral_id"] in found:
                found[record["referral_id"]].append(record["type"])
        return found == told

    await until(published)


ELSEWHERE = {"command-rejected", "referral-tombstoned"}  # streams of their own, on exchange.event
