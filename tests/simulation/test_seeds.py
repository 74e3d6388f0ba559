"""Thousands of seeded runs: the books balance in each; a seed replays exactly. SIM_FIRST, SIM_SEEDS choose others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.run import OPERATIONS

FIRST = int(os.environ.get("SIM_FIRST", "0"))
SEEDS = int(os.environ.get("SIM_SEEDS", "2000"))
MANY = 20_000
SHORT = 40
"""Operations of a run in `make test`; the long runs have 300, for the time they take."""
ROOT = Path(__file__).parents[2]


def started(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.simulation", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


def balanced(first: int, seeds: int, operations: int) -> None:
    """So many runs, shared by the processors; says what broke in which, and how to see it again."""
    share = os.cpu_count() or 1
    runs = [
        started(first + n, "--seeds", -(-(seeds - n) // share), "--every", share, "--operations", operations)
        for n in range(min(share, seeds))
    ]
    said = [(process.communicate()[0], process.returncode) for process in runs]
    assert all(code == 0 or text for text, code in said), "a run ended without a word"
    found = [line for text, _ in said for line in text.splitlines() if line.startswith("seed ")]
    broken = sorted({int(line.split()[1].rstrip(":")) for line in found})
    again = [f"python -m tests.simulation {seed} --operations {operations} --shrink" for seed in broken[:5]]
    assert not found, f"{len(broken)} seeds break a rule:\n" + "\n".join([*found[:20], "replay:", *again])


def test_in_thousands_of_runs_the_books_balance() -> None:
    balanced(FIRST, SEEDS, SHORT)


@pytest.mark.long
def test_in_tens_of_thousands_of_runs_the_books_balance() -> None:
    balanced(FIRST + SEEDS, int(os.environ.get("SIM_SEEDS", MANY)), OPERATIONS)


def test_a_seed_replays_exactly_in_another_process() -> None:
    runs = [started(7, "--operations", 300, PYTHONHASHSEED=seed) for seed in ("1", "2")]
    first, second = (process.communicate()[0] for process in runs)
    assert first == second
    assert first.startswith("seed 7: ")
