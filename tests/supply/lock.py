"""What requirements.lock pins: name, version, marker and hashes of each package; and how versions compare.

Comes in: the lock's text. Goes out: packages. Must never guess: a line that is none of these is an error.
"""

import re
from typing import NamedTuple

HEAD = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[0-9][^ ;\\]*)(?: ; (?P<marker>[^\\]*?))? \\"
)
HASH = re.compile(r"    --hash=sha256:(?P<hash>[0-9a-f]{64})(?: \\)?")


class Package(NamedTuple):
    """One pinned package; it may stand in the lock twice, for different Pythons."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def packages(text: str) -> list[Package]:
    """Every package; raises ValueError for a line that pins nothing by hash: an address, a range, an option."""
    found: list[Package] = []
    for number, line in enumerate(text.splitlines(), 1):
        if head := HEAD.fullmatch(line):
            found.append(Package(head["name"].lower(), head["version"], (head["marker"] or "").strip(), ()))
        elif (hashed := HASH.fullmatch(line)) and found:
            found[-1] = found[-1]._replace(hashes=(*found[-1].hashes, hashed["hash"]))
        elif line.strip() and not re.fullmatch(r"    # .*|    #", line):
            raise ValueError(
                f"requirements.lock:{number} pins no package by hash: {line[:60]!r}; run make lock"
            )
    return found


def numbers(version: str) -> tuple[int, ...]:
    """A version for comparing; what is not a release (a, b, rc, dev) counts as the one before it."""
    release = re.match(r"[0-9]+(\.[0-9]+)*", version)
    if release is None:
        raise ValueError(f"{version!r} is no version")
    given = tuple(map(int, release[0].split(".")))
    return given if re.fullmatch(r"[0-9.]+(\.post[0-9]+|\+.*)?", version) else (*given[:-1], given[-1] - 1)


def too_old(pinned: list[Package], floors: dict[str, dict[str, str]]) -> list[str]:
    """The packages below their floor, with the reason."""
    return [
        f"{p.name} {p.version} is below {floors[p.name]['floor']}: {floors[p.name]['why']}"
        for p in pinned
        if p.name in floors and numbers(p.version) < numbers(floors[p.name]["floor"])
    ]
