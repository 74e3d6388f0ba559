"""The ready file: where a running embedded exchange is and every credential it handed out (interfaces.md).

Written whole, then renamed, mode 600. Must never be half-written, and never name a pid of zero.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from infra.participants import KafkaUser, Participant

NAME = "ready.json"


class Broker(Struct, frozen=True, kw_only=True):
    bootstrap: str
    security_protocol: str
    sasl_mechanism: str
    admin: KafkaUser


class Pids(Struct, frozen=True, kw_only=True):
    kafka: int
    postgres: int
    api: int
    workers: list[int]
    notify: int

    @classmethod
    def of(cls, pids: Mapping[str, int]) -> "Pids":
        """From the supervised children by name: worker-0, worker-1, ... are the workers."""
        workers = sorted((n for n in pids if n.startswith("worker-")), key=lambda n: int(n.partition("-")[2]))
        return cls(
            kafka=pids["kafka"],
            postgres=pids["postgres"],
            api=pids["api"],
            workers=[pids[name] for name in workers],
            notify=pids["notify"],
        )


class Ready(Struct, frozen=True, kw_only=True):
    """The file's content; `supervisor` is the pid of `refex up` itself."""

    url: str
    kafka: Broker
    database_url: str
    data_dir: str
    pids: Pids
    organizations: list[Participant]
    supervisor: int


def write(path: Path, content: Ready) -> None:
    """Write it whole for its owner alone, then rename it into place."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    fresh.replace(path)


def running(data_dir: Path) -> Ready | None:
    """What runs in that data directory now; None when nothing does."""
    try:
        content = msgspec.json.decode((data_dir / NAME).read_bytes(), type=Ready)
    except (OSError, msgspec.DecodeError):
        return None
    return content if _alive(content.supervisor) else None


def remove(path: Path) -> None:
    """Take the file away if it is this process's own."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        if msgspec.json.decode(path.read_bytes(), type=Ready).supervisor == os.getpid():
            path.unlink()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
