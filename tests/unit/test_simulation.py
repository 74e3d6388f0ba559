"""A few simulated runs beside the fast tests: whoever changes a statement or a client's call learns of it at once."""

import structlog

from tests.simulation.oracle import violations
from tests.simulation.run import run


def test_in_three_runs_the_books_balance() -> None:
    with structlog.testing.capture_logs():
        for seed in (7, 127, 407):
            assert not violations(run(seed)), f"replay: python -m tests.simulation {seed} --shrink"
