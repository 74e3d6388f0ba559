"""Ten thousand orders of revoking, routing, answering and disclosing: after the acknowledgement nothing leaves."""

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.simulation.revoking import played

SEEDS = 10_000
DISCLOSING = ("routing", "read", "list", "events")


def share(first: int, every: int) -> tuple[Counter[str], list[str]]:
    """What was told in the runs of a share of the seeds, and what left too late."""
    told: Counter[str] = Counter()
    broken: list[str] = []
    for seed in range(first, SEEDS, every):
        run = played(seed)
        told.update(run.told)
        broken += [f"seed {seed}: {violation}" for violation in run.violations]
    return told, broken


def test_nothing_of_a_person_leaves_after_the_revocation_is_acknowledged() -> None:
    shares = os.cpu_count() or 1
    with ProcessPoolExecutor(shares, get_context("spawn")) as processes:
        found = list(processes.map(share, range(shares), [shares] * shares))
    told = sum((counts for counts, _ in found), Counter[str]())
    broken = [violation for _, violations in found for violation in violations]
    assert not broken, f"{len(broken)} disclosures after a revocation:\n" + "\n".join(broken[:10])
    for channel in DISCLOSING:
        assert told[f"{channel} personal"] > SEEDS // 100, (
            f"{channel} disclosed too little to mean much: {told}"
        )
    for channel in ("webhook", "stream", "feedback"):
        assert told[f"{channel} bare"] > SEEDS // 10 and not told[f"{channel} personal"], told
    assert told["notice dropped"] > SEEDS // 10, "notices were waiting when consents ended"
