"""Thousands of seeded runs: the books balance in each; a seed replays exactly. SIM_FIRST, SIM_SEEDS choose others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FIRST = int(os.environ.get("SIM_FIRST", "0"))
SEEDS = int(os.environ.get("SIM_SEEDS", "2000"))
MANY = 20_000
ROOT = Path(__file__).parents[2]


def started(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.simulation", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


def broken(first: int, seeds: int) -> list[str]:
    """What is wrong in so many runs, shared by the processors."""
    share = os.cpu_count() or 1
    runs = [
        started(first + n, "--seeds", (seeds - n + share - 1) // share, "--every", share)
        for n in range(min(share, seeds))
    ]
    said = [(process.communicate()[0], process.returncode) for process in runs]
    assert all(code == 0 or text for text, code in said), "a run ended without a word"
    return [
        line for text, _ in said for line in text.splitlines() if line.startswith("seed ") and " " in line
    ]


def judged(found: list[str]) -> None:
    """Say what broke, and how to see it again."""
    seeds = sorted({int(line.split()[1].rstrip(":")) for line in found})
    replay = "\n".join(f"python -m tests.simulation {seed} --shrink" for seed in seeds[:5])
    assert not found, f"{len(seeds)} seeds break a rule:\n" + "\n".join(found[:20]) + f"\nreplay:\n{replay}"


def test_in_thousands_of_runs_the_books_balance() -> None:
    judged(broken(FIRST, SEEDS))


@pytest.mark.long
def test_in_tens_of_thousands_of_runs_the_books_balance() -> None:
    judged(broken(FIRST + SEEDS, int(os.environ.get("SIM_SEEDS", MANY))))


def test_a_seed_replays_exactly_in_another_process() -> None:
    runs = [started(7, "--operations", 300, PYTHONHASHSEED=seed) for seed in ("1", "2")]
    first, second = (process.communicate()[0] for process in runs)
    assert first == second
    assert first.startswith("seed 7: ")
