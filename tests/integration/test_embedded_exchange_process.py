"""The embedded exchange as a process: killed, with its guardian too, run by an ordinary user; nothing stays behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.guard import PACKAGE_ROOT
from infra.embedded.processes import Identity, identify

pytestmark = pytest.mark.real

RUN = """
import asyncio, json, sys
from pathlib import Path
from infra.embedded.services import EmbeddedServices

async def main():
    async with EmbeddedServices(Path(sys.argv[1]), Path(sys.argv[2])) as services:
        print(json.dumps({"bootstrap": services.kafka.bootstrap, "url": services.postgres.url,
                          "pids": services.pids, "guardian": services.guardian_pid}), flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


class Exchange:
    """The services run by a process of their own."""

    def __init__(self, data_dir: Path, cache_dir: Path, prefix: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", RUN, str(data_dir), str(cache_dir)],
            cwd=PACKAGE_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the exchange did not come up"
        self.said: dict[str, Any] = json.loads(line)
        self.children = [running(pid) for pid in self.said["pids"].values()]
        self.guardian = running(self.said["guardian"])

    def stop(self) -> int:
        """End it in order."""
        self.process.communicate(timeout=60)
        return self.process.returncode

    def kill(self) -> None:
        """End it as nobody should."""
        self.process.kill()
        self.process.communicate()


def running(pid: int) -> Identity:
    found = identify(pid)
    assert found is not None, f"{pid} does not run"
    return found


def gone(processes: list[Identity], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(process.alive() for process in processes):
        assert time.monotonic() < deadline, [process for process in processes if process.alive()]
        time.sleep(0.05)


def test_everything_ends_with_a_killed_parent_and_starts_again(data_dir: Path, cache_dir: Path) -> None:
    first = Exchange(data_dir, cache_dir)
    first.kill()
    second = Exchange(data_dir, cache_dir)  # at once: it waits for the guardian to finish
    assert not any(child.alive() for child in first.children)
    assert (second.said["bootstrap"], second.said["url"]) == (first.said["bootstrap"], first.said["url"])
    second.kill()
    gone([*second.children, second.guardian], seconds=20)


def test_a_start_clears_what_a_parent_killed_with_its_guardian_left(data_dir: Path, cache_dir: Path) -> None:
    first = Exchange(data_dir, cache_dir)
    first.guardian.send(signal.SIGKILL)
    first.kill()
    assert all(child.alive() for child in first.children)
    second = Exchange(data_dir, cache_dir)
    assert not any(child.alive() for child in first.children)
    assert (second.said["bootstrap"], second.said["url"]) == (first.said["bootstrap"], first.said["url"])
    assert second.stop() == 0
    gone([*second.children, second.guardian], seconds=5)


def test_it_runs_for_an_ordinary_user(data_dir: Path, cache_dir: Path) -> None:
    """Root becomes nobody, or an unprivileged user of a namespace where nobody may not run this Python."""
    data_dir.parent.chmod(0o777)
    own_cache = data_dir.with_name("cache")
    shutil.copytree(cache_dir / "jars", own_cache / "jars")
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
        nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        if (
            subprocess.run(
                [*nobody, "/bin/sh", "-c", f'exec "{sys.executable}" -c pass'], check=False
            ).returncode
            == 0
        ):
            prefix = nobody
            shutil.chown(own_cache, "nobody")
    for _ in range(2):
        exchange = Exchange(data_dir, own_cache, prefix)
        assert exchange.stop() == 0
        gone(exchange.children, seconds=5)
