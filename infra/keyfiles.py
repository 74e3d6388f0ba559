"""Secrets that an installation makes itself: a setting, else a file of the data directory made on first use.

Comes in: the setting and the file's name. Goes out: the bytes. Must never write a file that others can read, nor one
that is not whole.
"""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path


def made_once(path: Path, length: int = 32) -> bytes:
    """The random bytes of that file; whoever comes first makes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with tempfile.NamedTemporaryFile(dir=path.parent) as made:  # 0600; whole before it has its name
            made.write(secrets.token_bytes(length))
            made.flush()
            with contextlib.suppress(FileExistsError):
                os.link(made.name, path)
    return path.read_bytes()
