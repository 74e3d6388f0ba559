"""The files of a Postgres cluster: made whole by initdb or not at all, and freed of a dead server's leftovers.

It must never touch a cluster that a process outside this exchange's lock may be using.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from infra.embedded.errors import EmbeddedError
from infra.embedded.local import write_private
from infra.embedded.postgres_programs import PostgresPrograms
from infra.embedded.processes import end_all_in
from infra.embedded.run_as import RunAs

SUPERUSER = "postgres"


def data_version(data: Path) -> int | None:
    """The major version that made the data, or None when there is none yet."""
    try:
        return int((data / "PG_VERSION").read_text())
    except (OSError, ValueError):
        return None


def initialize(data: Path, programs: PostgresPrograms, run_as: RunAs, password: str) -> None:
    """Make the cluster beside its place, then move it there: an interrupted one is never used. Blocks."""
    fresh = data.with_name("unfinished")
    shutil.rmtree(fresh, ignore_errors=True)
    password_file = data.with_name("superuser")
    write_private(password_file, password)
    if run_as.uid is not None:
        os.chown(password_file, run_as.uid, run_as.gid or 0)
    command = [
        *run_as.prefix,
        programs.initdb,
        "-D",
        str(fresh),
        "-U",
        SUPERUSER,
        f"--pwfile={password_file}",
    ]
    command += [
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--no-instructions",
        "--data-checksums",
    ]
    try:
        done = subprocess.run(
            command,
            cwd=data.parent,
            user=run_as.uid,
            group=run_as.gid,
            extra_groups=None if run_as.uid is None else [],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        password_file.unlink()
    if done.returncode != 0:
        raise EmbeddedError(
            f"initdb failed: {(done.stdout + done.stderr).strip()[-2000:]}\nRemove {data.parent}"
        )
    fresh.rename(data)


def clear_leftovers(data: Path) -> None:
    """End what a killed server or initdb left (backends hold the shared memory), drop its pid file. Blocks.

    The caller holds the lock of the data directory and has no server running: whatever works in it is an orphan.
    """
    orphans = end_all_in(data.parent, (signal.SIGKILL, 5.0))
    orphans += end_all_in(data, (signal.SIGINT, 3.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 5.0))
    if orphans:
        pids = ", ".join(str(orphan.pid) for orphan in orphans)
        raise EmbeddedError(f"processes {pids} still use {data} and cannot be ended; end them and try again")
    (data / "postmaster.pid").unlink(missing_ok=True)
