"""`make mutants`: plants each known bug in a copy of the tree; its named checks must turn red, and be green without it.

Comes in: --only NAME, --tier, --random N with --seed S. Goes out: a table with the seconds, build/mutants.json, and
status 1 when a bug goes unseen. Must never change the tree it was started in.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.mutants.planted import Bug, Planted, bugs

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "build", "__pycache__", ".*_cache", "node_modules", "*.egg-info"
)
PATIENCE_S = {"fast": 90.0, "real": 240.0}
FOREIGN = "import sys, stream_processors; sys.exit(not stream_processors.__file__.startswith(sys.argv[1]))"


class Run(NamedTuple):
    """What one pytest run showed of each test: `green`, `red <error>` or `clumsy <error>`."""

    tests: dict[str, str]
    trouble: str
    seconds: float

    def of(self, check: str) -> list[str]:
        """What became of a check; of all its cases, where it names no one of them."""
        return [v for node, v in self.tests.items() if node == check or node.startswith(f"{check}[")]


class Result(NamedTuple):
    """Whether a bug was seen, and how long its checks took with it."""

    bug: str
    tier: str
    verdict: str
    checks: list[str]
    seconds: float


def environment(tree: Path, **more: str) -> dict[str, str]:
    """The copy's code, whatever is installed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("REFEX_", "PYTEST_")) or "CACHE" in k}
    return kept | {"PYTHONPATH": str(tree)} | more


def pytest(tree: Path, checks: Sequence[str], patience_s: float) -> Run:
    """The checks in the copy; what hangs is interrupted, so that its fixtures stop what they started."""
    began = time.monotonic()
    seen = tree / ".witness.json"
    seen.unlink(missing_ok=True)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.mutants.witness",
            *checks,
        ],
        cwd=tree,
        env=environment(tree, MUTANTS_WITNESS=str(seen)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=patience_s)
        trouble = ""
    except subprocess.TimeoutExpired:
        trouble = f"still running after {patience_s:.0f} s"
        output = _ended(process)
    seconds = time.monotonic() - began
    if trouble or not seen.exists():
        return Run({}, trouble or f"pytest ended without a word:\n{output[-2000:]}", seconds)
    found = json.loads(seen.read_text())
    broken = ", ".join(found["broken"])
    return Run(found["tests"], f"cannot be collected: {broken}\n{output[-2000:]}" if broken else "", seconds)


def _ended(process: subprocess.Popen[str]) -> str:
    for number in (signal.SIGINT, signal.SIGKILL):
        os.killpg(process.pid, number)
        try:
            return process.communicate(timeout=30)[0]
        except subprocess.TimeoutExpired:
            continue
    return ""


def judged(bug: Bug, run: Run) -> str:
    """`seen`, or why not: every named check must be red by what its own body found."""
    if run.trouble:
        return run.trouble
    for check in bug.checks:
        found = run.of(check)
        if not found:
            return f"{check} did not run"
        if clumsy := [f for f in found if f.startswith("clumsy")]:
            return f"{check} failed for another reason: {clumsy[0].removeprefix('clumsy ')}"
        if all(f == "green" for f in found):
            return f"NOT SEEN by {check}"
    return "seen"


def clean(tree: Path, chosen: Sequence[Bug]) -> list[str]:
    """What is wrong without any bug: of a check that is red anyway nothing can be learnt."""
    checks = list(dict.fromkeys(check for bug in chosen for check in bug.checks))
    run = pytest(tree, checks, 60.0 + 60.0 * len(checks))
    if run.trouble:
        return [run.trouble]
    print(f"clean tree: {len(checks)} checks in {run.seconds:.0f} s", flush=True)
    return [f"{c}: {run.of(c) or 'did not run'}" for c in checks if set(run.of(c)) != {"green"}]


def hunted(tree: Path, chosen: Sequence[Bug]) -> list[Result]:
    """Each bug alone in the copy, one after another."""
    results = []
    for bug in chosen:
        with Planted(tree, bug):
            run = pytest(tree, bug.checks, PATIENCE_S[bug.tier])
        results.append(Result(bug.name, bug.tier, judged(bug, run), bug.checks, round(run.seconds, 1)))
        print(f"{results[-1].seconds:6.1f} s  {bug.name:36} {results[-1].verdict}", flush=True)
    return results


def chosen_by(said: argparse.Namespace) -> list[Bug]:
    """The bugs that the options name."""
    found = [b for b in bugs() if said.tier in (None, b.tier) and (not said.only or b.name in said.only)]
    if lacking := set(said.only or ()) - {b.name for b in found}:
        raise SystemExit(f"no planted bug is called {', '.join(sorted(lacking))}; see tests/mutants/bugs")
    if said.random:
        print(f"seed {said.seed}: the same again with --random {said.random} --seed {said.seed}", flush=True)
        found = random.Random(said.seed).sample(found, min(said.random, len(found)))
    return found


def main() -> int:
    """The whole run; 0 when the tree is clean and every bug was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="this bug alone; may be repeated")
    parser.add_argument("--tier", choices=("fast", "real"), help="fast: those that need no server")
    parser.add_argument("--random", type=int, metavar="N", help="so many, drawn by the seed")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    said = parser.parse_args()
    chosen = chosen_by(said)
    with tempfile.TemporaryDirectory(prefix="refex-mutants-") as folder:
        Path(folder).chmod(0o755)
        tree = Path(shutil.copytree(ROOT, Path(folder) / "tree", ignore=LEFT_OUT))
        subprocess.run(
            [sys.executable, "-c", FOREIGN, str(tree)], env=environment(tree), cwd=tree, check=True
        )
        wrong = clean(tree, chosen)
        results = [] if wrong else hunted(tree, chosen)
    unseen = [r for r in results if r.verdict != "seen"]
    report = {"seed": said.seed, "clean": wrong, "bugs": [r._asdict() for r in results]}
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "mutants.json").write_text(json.dumps(report, indent=1) + "\n")
    print("\n".join(f"without any bug: {w}" for w in wrong))
    print(f"{len(results) - len(unseen)} of {len(chosen)} planted bugs seen")
    return 1 if wrong or unseen else 0


if __name__ == "__main__":
    sys.exit(main())
