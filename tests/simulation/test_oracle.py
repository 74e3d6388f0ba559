"""The oracle is worth something: every planted bug turns its rule red within a few seeds."""

from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.oracle import violations
from tests.simulation.planted import PLANTED, Planted
from tests.simulation.run import OPERATIONS, run
from tests.simulation.traffic import plan

WITHIN = 60


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: str(bug.name).replace(" ", "-"))
def test_a_planted_bug_is_found(bug: Planted) -> None:
    found: list[str] = []
    with bug.plant():
        for seed in range(WITHIN):
            found += violations(run(seed, plan(seed, OPERATIONS, bug.weights)))
            if any(bug.breaks in violation for violation in found):
                return
    pytest.fail(f"{WITHIN} runs with `{bug.name}` did not break `{bug.breaks}`: {found[:5]}")
