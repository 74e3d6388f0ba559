"""Small things of this machine: free ports, files only we may read, the lock of a data directory.

It must never write a secret that another user may read, not even for an instant.
"""

import fcntl
import json
import os
import random
import secrets
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from infra.embedded.errors import DataDirInUseError
from infra.embedded.processes import Identity, identify

LOOPBACK = "127.0.0.1"


def port_is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        # As servers do: a connection that is still closing is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def keep_or_pick_port(kept: int | None) -> int:
    """The port of last time if it is free, else another.

    Below the range of outgoing connections: a client that reconnects to a dead server inside that range may be given
    the server's own port, connect to itself and keep the server from coming back.
    """
    if kept and port_is_free(kept):
        return kept
    for _ in range(200):
        port = random.randrange(15_000, _first_outgoing_port())
        if port_is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _first_outgoing_port() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return 32_768
    return max(first, 16_000)


def write_private(path: Path, text: str) -> None:
    """Write the file whole, readable by its owner alone."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)


def keep_or_make_token(path: Path) -> str:
    """A random word that stays the same for this file."""
    if not path.exists():
        write_private(path, secrets.token_hex(16))
    return path.read_text()


def read_state(path: Path) -> dict[str, Any]:
    """What `write_state` kept, or nothing yet."""
    if not path.exists():
        return {}
    state: dict[str, Any] = json.loads(path.read_text())
    return state


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Keep ports, passwords and the like for the next start."""
    write_private(path, json.dumps(state, indent=1))


class DataDirLock:
    """Held while an exchange uses the data directory; the guardian keeps it until the last child is gone."""

    WAIT = 15.0

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._file = data_dir / "lock"
        self.descriptor = -1

    def __enter__(self) -> "DataDirLock":
        """Take it; wait while the children of a killed exchange are still being ended. Blocks."""
        self.descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + self.WAIT
        while not self._try():
            holder = self._holder()
            if (holder is not None and holder.alive()) or time.monotonic() > deadline:
                os.close(self.descriptor)
                raise DataDirInUseError(
                    f"the data directory {self._data_dir} is used by the exchange with pid "
                    f"{holder.pid if holder else 'unknown'}; stop that one, or set REFEX_DATA_DIR to another directory"
                )
            time.sleep(0.1)
        me = identify(os.getpid())
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps([os.getpid(), me.created if me else 0.0]).encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of it."""
        os.close(self.descriptor)

    def _try(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _holder(self) -> Identity | None:
        try:
            pid, created = json.loads(os.pread(self.descriptor, 200, 0))
        except ValueError:
            return None
        return Identity(pid, created)
