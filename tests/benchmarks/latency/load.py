"""The load: every event to its topic when it is due, whatever became of the earlier ones. `python -m ...load TASK`."""

import asyncio
import time
from typing import Any

from producers.producer import RecordProducer
from tests.benchmarks.figures import spread
from tests.benchmarks.latency.talk import Task, Wait, serve, until


async def run(task: Task, ready: Wait) -> dict[str, Any]:
    """Send all; how late each left here, and when the broker had it."""
    late: list[float] = []
    acked: list[float] = []
    async with RecordProducer(task.login) as producer:
        await producer.send([event.record for event in task.warm])
        start = await ready()

        async def send(first: int, last: int) -> None:
            events = task.events[first:last]
            late.extend(time.monotonic() - start - event.due for event in events)
            await producer.send([event.record for event in events])
            acked.extend(time.monotonic() - start - event.due for event in events)

        sending = []
        at = 0
        while at < len(task.events):
            await until(start + task.events[at].due)
            now, first = time.monotonic() - start, at
            while at < len(task.events) and task.events[at].due <= now:
                at += 1
            sending.append(asyncio.create_task(send(first, at)))
        await asyncio.gather(*sending)
    return {"sent": spread(late), "acked": spread(acked)}


if __name__ == "__main__":
    serve(run)
