"""Parts whose servers are not there at all: they stay, say that they live and are not ready, and leave when told."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from infra.embedded.local import keep_or_pick_port
from tests.support.parts import Part

NOWHERE = {
    "REFEX_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
    "REFEX_KAFKA_BOOTSTRAP": "127.0.0.1:9",
}


@pytest.mark.parametrize("argv", [["worker"], ["worker", "--notify"], ["api"]], ids=" ".join)
async def test_a_part_waits_for_servers_that_are_not_there(tmp_path: Path, argv: list[str]) -> None:
    port = keep_or_pick_port(None)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REFEX_")} | NOWHERE
    environment |= {"REFEX_DATA_DIR": str(tmp_path), "REFEX_PORT": str(port), "REFEX_METRICS_PORT": str(port)}
    async with Part(argv, environment, tmp_path / "log.txt", port) as part:
        await part.until("/livez", 200, 20)
        await asyncio.sleep(3)
        assert (await part.answers("/livez"), await part.answers("/readyz")) == (200, 503)
        assert await part.answers("/metrics") == 200
        assert part.process.poll() is None
        _, seconds = await part.ended(signal.SIGTERM)
    assert seconds < 20
