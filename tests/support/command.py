"""Runs `refex` as an operator would, against a running exchange of the tests.

Must never inherit REFEX_* settings of whoever runs the tests.
"""

import asyncio
import os
import sys
from typing import NamedTuple

from tests.support.running import RunningExchange


class Ran(NamedTuple):
    code: int
    stdout: str
    stderr: str


async def refex(exchange: RunningExchange, *arguments: str, timeout_s: float = 60.0) -> Ran:
    """Run one command; it finds the exchange by its data directory."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REFEX_")}
    environment["REFEX_DATA_DIR"] = str(exchange.data_dir)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli.main",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        process.kill()
        raise
    return Ran(process.returncode or 0, out.decode(), err.decode())
