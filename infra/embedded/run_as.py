"""Postgres refuses to run as root: finds whom to run it as, without creating users or opening other directories.

Out: the user (or a namespace in which root is not root), proven by running the program that way.
It must never change the mode of a directory that is not the exchange's own.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.errors import EmbeddedError

NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class RunAs:
    """How to start a program: with this before it, as this user (None: as we are)."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None


def find_run_as_any(programs: Sequence[str], home: Path) -> tuple[int, RunAs]:
    """Which program, run how, may write to `home`; `home` then belongs to that user. Blocks."""
    if os.geteuid() != 0:
        _refuse_foreign(home)
        return 0, RunAs()
    owner = home.stat().st_uid
    ways = [way for way in (_as_nobody(), _in_namespace()) if way is not None]
    if any(home.iterdir()):  # data is there: it stays with the user who made it
        ways = [way for way in ways if (way.uid or 0) == owner]
    for way in ways:
        os.chown(home, way.uid or 0, way.gid or 0)
        for index, program in enumerate(programs):
            if _works(way, program, home):
                return index, way
    raise EmbeddedError(
        f"Postgres does not run as root, and neither the user {NOBODY} nor a user namespace (unshare) can run "
        f"{' or '.join(programs)} on {home}. Run as an ordinary user, or set REFEX_DATA_DIR to a new directory that "
        "other users may pass through (such as /var/lib/refex), or use a server of your own with REFEX_DATABASE_URL"
    )


def _refuse_foreign(home: Path) -> None:
    owner = home.stat().st_uid
    if owner != os.geteuid():
        raise EmbeddedError(
            f"{home} belongs to user {owner}, so it was made by root; run as root again, "
            "or set REFEX_DATA_DIR to another directory"
        )


def _as_nobody() -> RunAs | None:
    try:
        user = pwd.getpwnam(NOBODY)
    except KeyError:
        return None
    return RunAs((), user.pw_uid, user.pw_gid)


def _in_namespace() -> RunAs | None:
    unshare = shutil.which("unshare")
    return RunAs((unshare, "--user", "--map-user=1000", "--map-group=1000")) if unshare else None


def _works(way: RunAs, program: str, home: Path) -> bool:
    command = [
        *way.prefix,
        "/bin/sh",
        "-c",
        'test -w "$0" && test -x "$0" && exec "$1" --version',
        str(home),
        program,
    ]
    try:
        done = subprocess.run(
            command,
            user=way.uid,
            group=way.gid,
            extra_groups=None if way.uid is None else [],
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
