"""Looks for planted identities in files: which file holds which value of whom in which form.

Comes in: identities and files. Goes out: findings. GNU grep reads the bytes, thousands of patterns in one pass.
"""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.support.identities import Identity, forms


class Leak(NamedTuple):
    """A planted value found where it must not be."""

    file: str
    line: int
    identity: int
    form: str
    value: str


class Scan:
    """The patterns of so many identities, kept in a file of `folder`."""

    def __init__(self, identities: Iterable[Identity], folder: Path) -> None:
        self._known: dict[bytes, tuple[int, str, str]] = {}
        for identity in identities:
            for value in identity.values():
                for form, pattern in forms(value):
                    self._known.setdefault(pattern, (identity.number, form, value))
        self._patterns = folder / "patterns"
        self._patterns.write_bytes(b"\n".join(self._known) + b"\n")

    def __len__(self) -> int:
        return len(self._known)

    def of(self, files: Iterable[Path], most: int = 50) -> list[Leak]:
        """What is found in the files, at most so many of each."""
        paths = [str(path) for path in files if path.is_file()]
        if not paths:
            return []
        done = subprocess.run(
            ["grep", "-aonHFZ", "-f", str(self._patterns), *paths],
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            check=False,
        )
        if done.returncode > 1:
            raise RuntimeError(done.stderr.decode(errors="replace"))
        found: list[Leak] = []
        for line in done.stdout.splitlines():
            file, _, rest = line.partition(b"\0")
            number, _, pattern = rest.partition(b":")
            found.append(Leak(file.decode(), int(number), *self._known[pattern]))
        return found
