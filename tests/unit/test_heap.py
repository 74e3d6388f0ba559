"""A settled heap: what is imported is not walked again, and cycles are still found."""

import subprocess
import sys

SETTLES = """
import gc, weakref
from infra import heap

class Knot:
    pass

heap.settle()
assert gc.isenabled() and gc.get_freeze_count() > 1000
knot = Knot()
knot.self = knot
seen = weakref.ref(knot)
del knot
kept = [[] for _ in range(2 * heap.YOUNG[0])]
assert seen() is None
young, middle, old = gc.get_threshold()
assert young * middle * old <= 70_000
"""


def test_cycles_are_still_found_and_the_program_is_not_walked_again() -> None:
    done = subprocess.run([sys.executable, "-c", SETTLES], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
