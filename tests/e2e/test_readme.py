"""The README's curl lines, run as they stand: a newcomer's first five minutes must not fail."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.running import RunningExchange

pytestmark = pytest.mark.real
README = Path(__file__).parents[2] / "README.md"


def journey() -> str:
    """The shell lines of the chapter on curl."""
    chapter = README.read_text().split("## The same journey by curl")[1]
    found = re.search(r"```sh\n(.*?)```", chapter, re.S)
    assert found is not None
    return found[1]


async def test_the_journey_by_curl_ends_with_a_closed_referral(exchange: RunningExchange) -> None:
    script = re.sub(r"(?m)^URL=.*$", f"URL={exchange.url}", journey())
    script = script.replace(".venv/bin/refex", f"{sys.executable} -m cli.main")
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script,
        env={**os.environ, "REFEX_DATA_DIR": str(exchange.data_dir)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, errors.decode()
    assert "\ncompleted\n" in out.decode()
    assert '"candidates"' in out.decode() and '"measures"' in out.decode()
