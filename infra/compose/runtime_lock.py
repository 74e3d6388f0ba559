"""Cuts requirements.lock down to what a container needs: the packages that some given ones stand on.

Comes in: names of direct dependencies, pyproject.toml and the lock. Goes out: those packages' lines, hashes and
all, on stdout. Uses the standard library alone: the image runs it before anything is installed.
"""

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

HEAD = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==")
# cli/participant.py reaches psutil through cli/keeping.py; the rest of the `embedded` extra stays out.
ALSO = ("psutil",)
BUILD = ("hatchling", "editables")


def blocks(lock: str) -> dict[str, str]:
    """Package -> its lines."""
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock):
        if head := HEAD.match(block):
            found[normal(head[1])] = block.rstrip()
    return found


def wanted_by(block: str) -> set[str]:
    """The packages for whose sake a block is there, as its `via` comments say."""
    said = re.findall(r"^    #(?: via|  ) +([A-Za-z0-9._-]+)", block, flags=re.MULTILINE)
    return {normal(name) for name in said}


def cut(lock: str, direct: Iterable[str]) -> str:
    """The lines of the direct packages and of all they stand on."""
    found = blocks(lock)
    keep = {normal(name) for name in direct}
    if unknown := keep - found.keys():
        raise SystemExit(f"not in requirements.lock: {', '.join(sorted(unknown))}; run make lock")
    while more := {n for n, block in found.items() if n not in keep and wanted_by(block) & keep}:
        keep |= more
    return "\n".join(found[name] for name in sorted(keep)) + "\n"


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main(folder: Path = Path()) -> None:
    """`python runtime_lock.py runtime|build`."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[^A-Za-z0-9._-]", d, maxsplit=1)[0] for d in project["dependencies"]]
    direct = [*names, *ALSO] if sys.argv[1] == "runtime" else BUILD
    sys.stdout.write(cut((folder / "requirements.lock").read_text(encoding="utf-8"), direct))


if __name__ == "__main__":
    main()
