"""The planted bugs: what each breaks, where, and the check that must see it. Data in bugs/*.toml.

Comes in: the table. Goes out: bugs, planted into and taken out of a COPY of the tree. Must never touch the tree itself.
"""

import tomllib
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

TABLE = Path(__file__).parent / "bugs"


class StaleError(ValueError):
    """A bug no longer fits the code it was written for; the message says which and what to do."""


class Edit(Struct, frozen=True, forbid_unknown_fields=True):
    """`old` stands exactly once in `file` and becomes `new`; without `old` the file is a new one."""

    file: str
    new: str
    old: str = ""


class Bug(Struct, frozen=True, forbid_unknown_fields=True):
    """`checks` are pytest node ids, each of which must turn red; `tier` real = starts Postgres or Kafka."""

    name: str
    says: str
    tier: Literal["fast", "real"]
    checks: list[str]
    edit: list[Edit]


def bugs() -> list[Bug]:
    """All of them, in the order of their files; raises ValueError when a name stands twice."""
    found: list[Bug] = []
    for path in sorted(TABLE.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        found += msgspec.convert(table["bug"], list[Bug])
    names = [bug.name for bug in found]
    if len(set(names)) != len(names):
        raise ValueError(f"two bugs of one name: {sorted(n for n in names if names.count(n) > 1)}")
    return found


def changed(tree: Path, bug: Bug) -> dict[Path, str]:
    """The files as they are with the bug in them; raises StaleError when it does not fit exactly once."""
    texts: dict[Path, str] = {}
    for edit in bug.edit:
        path = tree / edit.file
        if path not in texts:
            texts[path] = path.read_text(encoding="utf-8") if path.exists() else ""
        if texts[path].count(edit.old) != 1 if edit.old else path.exists():
            raise StaleError(
                f"planted bug {bug.name} no longer applies to {edit.file}: its old text must stand there exactly "
                "once; refresh it in tests/mutants/bugs"
            )
        texts[path] = texts[path].replace(edit.old, edit.new) if edit.old else edit.new
    return texts


class Planted:
    """`with Planted(tree, bug):` the copy holds the bug; afterwards it is as before."""

    def __init__(self, tree: Path, bug: Bug) -> None:
        self._texts = changed(tree, bug)
        self._before: dict[Path, bytes | None] = {}

    def __enter__(self) -> None:
        for path, text in self._texts.items():
            self._before[path] = path.read_bytes() if path.exists() else None
            path.write_text(text, encoding="utf-8")
            _forget(path)

    def __exit__(self, *_: object) -> None:
        for path, content in self._before.items():
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content)
            _forget(path)


def _forget(path: Path) -> None:
    """Byte code is matched by size and whole seconds: a change of one second would be overlooked."""
    for old in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        old.unlink()
