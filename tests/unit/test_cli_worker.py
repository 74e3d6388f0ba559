"""What `refex worker` becomes: a Faust worker on uvloop."""

import subprocess
import sys

from cli.worker import command

LOOP = """
import asyncio, sys
from mode.loop import use
use(sys.argv[1])
print(type(asyncio.new_event_loop()).__module__)
"""


def test_the_worker_runs_on_uvloop() -> None:
    arguments = command()
    asked = arguments[arguments.index("--loop") + 1]
    assert arguments.index("--loop") < arguments.index("worker"), "it is an option of faust, not of worker"
    made = subprocess.run([sys.executable, "-c", LOOP, asked], capture_output=True, text=True, timeout=60)
    assert made.stdout.strip().startswith("uvloop"), made.stderr
