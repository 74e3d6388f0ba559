"""`refex up` as a process: one ready file, real pids, parts that come back, an orderly end, secrets that stay."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from tests.support.running import until

pytestmark = pytest.mark.real


class Up:
    """A `refex up` process and its ready file."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.ready = folder / "asked.json"
        self.log = folder / "up.log"
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith("REFEX_") or k == "REFEX_CACHE_DIR"
        }
        environment["REFEX_DATA_DIR"] = str(folder / "data")
        command = [sys.executable, "-m", "cli.main", "up", "--ready-file", str(self.ready), *arguments]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    async def started(self) -> dict[str, Any]:
        async def there() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return self.ready.exists()

        await until(there, timeout_s=120)
        return self.content()

    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ready.read_text())
        return found

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, 60)


@contextmanager
def up(folder: Path, *arguments: str) -> Iterator[Up]:
    running = Up(folder, *arguments)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
            try:
                running.process.wait(60)
            except subprocess.TimeoutExpired:
                running.process.kill()


def every_pid(content: dict[str, Any]) -> list[int]:
    pids = content["pids"]
    return [pids["kafka"], pids["postgres"], pids["api"], *pids["workers"], pids["notify"]]


async def test_it_starts_mends_itself_stops_and_keeps_what_it_handed_out(tmp_path: Path) -> None:
    with up(tmp_path, "--port", "0") as first:
        content = await first.started()
        _check_ready_file(first, content)
        await _check_mending(first, content)
        (tmp_path / "data" / "ready.json").stat()
        last = first.content()
        assert await first.stop(signal.SIGINT) == 0
    gone = [pid for pid in every_pid(last) if psutil.pid_exists(pid)]
    assert not gone
    assert not (tmp_path / "data" / "ready.json").exists()

    began = time.monotonic()
    with up(tmp_path, "--port", "0", "--workers", "2") as second:
        again = await second.started()
        assert again["url"] == content["url"]
        assert again["kafka"] == content["kafka"]
        assert again["database_url"] == content["database_url"]
        assert len(again["pids"]["workers"]) == 2
        assert await second.stop() == 0
    assert time.monotonic() - began < 60


def _check_ready_file(running: Up, content: dict[str, Any]) -> None:
    assert stat.S_IMODE(running.ready.stat().st_mode) == 0o600
    assert set(content) >= {"url", "kafka", "database_url", "data_dir", "pids", "organizations"}
    assert set(content["kafka"]) >= {"bootstrap", "security_protocol", "sasl_mechanism", "admin"}
    assert content["organizations"] == []
    assert content["database_url"].startswith("postgresql://")
    assert httpx.get(f"{content['url']}/readyz", trust_env=False).status_code == 200
    commands = {pid: " ".join(psutil.Process(pid).cmdline()) for pid in every_pid(content)}
    assert len(commands) == 5
    assert "kafka.Kafka" in commands[content["pids"]["kafka"]]
    assert "postgres" in commands[content["pids"]["postgres"]]
    assert commands[content["pids"]["api"]].endswith("api")
    assert "stream_processors.app" in commands[content["pids"]["workers"][0]]


async def _check_mending(running: Up, content: dict[str, Any]) -> None:
    """A killed API and a killed worker come back with new pids; nothing is ever missing from the file meanwhile."""
    before = content["pids"]
    os.kill(before["api"], signal.SIGKILL)
    os.kill(before["workers"][0], signal.SIGKILL)

    async def back() -> bool:
        pids = running.content()["pids"]
        assert pids["api"] and pids["workers"][0]
        assert pids["api"] != before["api"] and pids["workers"][0] != before["workers"][0]
        async with httpx.AsyncClient(trust_env=False) as http:
            return (await http.get(f"{content['url']}/livez")).status_code == 200

    await until(back, timeout_s=30)
    after = running.content()
    assert after["pids"]["kafka"] == before["kafka"] and after["url"] == content["url"]


async def test_ephemeral_leaves_nothing_behind(tmp_path: Path) -> None:
    with up(tmp_path, "--port", "0", "--ephemeral") as running:
        content = await running.started()
        folder = Path(content["data_dir"])
        assert folder.is_dir() and not folder.is_relative_to(tmp_path)
        assert await running.stop() == 0
    assert not folder.exists()


async def test_a_port_in_use_is_said_before_anything_starts(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with up(tmp_path, "--port", str(port)) as running:
            assert await asyncio.to_thread(running.process.wait, 30) == 1
        assert "--port 0" in running.log.read_text()
    finally:
        server.close()
        await server.wait_closed()
