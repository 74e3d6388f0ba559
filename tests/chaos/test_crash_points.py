"""Every named crash point is the end of a process under load, again and again: the books balance.

Whatever is ordered and never reached fails the run. Processes come back by the supervision of `refex up`; commands are
given again by the operator.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from infra.crash_points import POINTS
from producers import demo_directory
from tests.support.rig import Rig

pytestmark = pytest.mark.real
EACH = 3
REACHED_S = 60.0  # within so long one more of the ordered points must be met
ROLE = {"api": "api", "notify": "notify"}  # the others are the workers'
COMMANDS = ("dead-letters", "import", "rebuild")
CORE = (
    "batch.half-saved",
    "batch.committed",
    "inbox.applied",
    "relay.published",
    "timers.published",
    "api.published",
)
CORE_COMMANDS = ("dead-letters.sent",)


def part(point: str) -> str:
    """Before the dot: which step it is in."""
    return point.partition(".")[0]


def pids(rig: Rig, points: Collection[str]) -> set[int]:
    """The processes that pass these points."""
    roles = {ROLE.get(part(point), "workers") for point in points}
    found = [rig.exchange.pids[role] for role in roles]
    return {pid for one in found for pid in (one if isinstance(one, list) else [one])}


async def renewed(rig: Rig, points: Collection[str]) -> None:
    """Kill the processes of these points: the next ones have the newest orders."""
    for pid in pids(rig, points):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # it has just ended at a point
            continue


async def met(rig: Rig, points: Collection[str], times: int) -> None:
    """Let processes die at whichever of these points they pass first, until each was met so often."""
    before = rig.crashed()
    left = dict.fromkeys(points, times)
    rig.order(dict.fromkeys(left, 1))
    await renewed(rig, points)
    moved = time.monotonic()
    while left:
        await asyncio.sleep(0.02)
        found = rig.crashed()
        now = {p: times - found[p] + before[p] for p in points if found[p] - before[p] < times}
        if now != left:
            rig.tell("crashed", **{p: found[p] for p in left if now.get(p) != left[p]})
            left, moved = now, time.monotonic()
            rig.order(dict.fromkeys(left, rig.random.randint(1, 2)))
        assert time.monotonic() - moved < REACHED_S, f"never reached: {left}"
    rig.order({})
    await renewed(rig, points)


def directory(folder: Path, number: int) -> Path:
    """The demo directory as its source might list it another day."""
    documents = demo_directory.documents()
    for document in documents:
        document["description"] = f"As listed the {number}. time."
        for service in document.get("services", ()):
            service["description"] = f"As listed the {number}. time."
    path = folder / f"directory-{number}.json"
    path.write_text(json.dumps(documents))
    return path


async def command(rig: Rig, point: str, folder: Path, number: int) -> None:
    """The command of this point dies there, and is given again."""
    said = {
        "dead-letters": ("dead-letters", "replay", "--all"),
        "import": ("import-directory", str(directory(folder, number)), "--partial"),
        "rebuild": ("rebuild", "--into", "again"),
    }[part(point)]
    await rig.command(*said, crash_at=f"{point}:1")
    rig.tell("crashed", point=point)
    await rig.command(*said)


async def test_core_points_where_dying_is_worst(core: Rig, tmp_path: Path) -> None:
    async with core.traffic(60):
        await met(core, CORE, 1)
        for number, point in enumerate(CORE_COMMANDS):
            await command(core, point, tmp_path, number)
    assert set(core.crashed()) >= {*CORE, *CORE_COMMANDS}
    await core.verdict("crash-points-core")


GROUPS = {
    "batch": ("inbox", "careful", "batch"),
    "relay": ("relay",),
    "others": ("timers", "coverage", "linker", "notify", "api"),
    "commands": COMMANDS,
}


def test_every_point_is_in_a_group() -> None:
    assert {part(p) for p in POINTS} == {p for group in GROUPS.values() for p in group}
    assert set(CORE) | set(CORE_COMMANDS) <= set(POINTS)


@pytest.mark.long
@pytest.mark.parametrize("group", GROUPS)
async def test_whole_every_point(whole: Rig, group: str, tmp_path: Path) -> None:
    points = [p for p in POINTS if part(p) in GROUPS[group]]
    async with whole.traffic(60):
        if group == "commands":
            await asyncio.sleep(3)
            for number in range(EACH * len(points)):
                await command(whole, points[number % len(points)], tmp_path, number)
        else:
            await met(whole, points, EACH)
    crashed = whole.crashed()
    missed = {p: crashed[p] for p in points if crashed[p] < EACH}
    assert not missed, f"not met {EACH} times: {missed}"
    await whole.verdict(f"crash-points-{group}")
