"""`python -m tests.simulation 17` replays seed 17; `0 --seeds 500` runs many; `17 --shrink` shortens a failing run.

Goes out: violations, one a line after their seed; a digest of everything that happened; exit code 1 if anything broke.
"""

import argparse
import logging
import sys

import structlog

from tests.simulation.digest import digest
from tests.simulation.oracle import violations
from tests.simulation.run import OPERATIONS, run
from tests.simulation.shrink import shrunk
from tests.simulation.traffic import plan

NAMED = 5


def main() -> int:
    """The command line."""
    asked = argparse.ArgumentParser(prog="python -m tests.simulation")
    asked.add_argument("seed", type=int)
    asked.add_argument("--seeds", type=int, default=1)
    asked.add_argument("--every", type=int, default=1)
    asked.add_argument("--operations", type=int, default=OPERATIONS)
    asked.add_argument("--shrink", action="store_true")
    given = asked.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    broken = False
    for seed in range(given.seed, given.seed + given.seeds * given.every, given.every):
        outcome = run(seed, plan(seed, given.operations))
        found = violations(outcome)
        broken = broken or bool(found)
        for violation in found[:NAMED]:
            print(f"seed {seed}: {violation}", flush=True)
        if given.seeds == 1:
            print(f"seed {seed}: {digest(outcome)}")
        if found and given.shrink:
            for operation in shrunk(seed, outcome.operations):
                print(f"seed {seed}: {operation.number} {operation.kind}")
    print(f"{given.seeds} runs")
    return int(broken)


sys.exit(main())
