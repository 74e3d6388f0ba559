"""The jar cache never hands out a file it has not checked: truncated, changed and half-fetched ones are noticed."""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.embedded import jars as jars_module
from infra.embedded.errors import EmbeddedError
from infra.embedded.jars import Jar, get_jars, read_lock

CONTENT = b"PK\x03\x04 not really a jar, but always the same bytes" * 100
JAR = Jar("org.example", "small", "1.0", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Repository:
    """Answers each fetch with the next of the given contents; the last one stays."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = list(contents)
        self.fetched = 0

    def __call__(self, jar: Jar, scratch: Path) -> Path:
        content = self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]
        self.fetched += 1
        path = scratch / "somewhere" / "deep.jar"
        path.parent.mkdir()
        path.write_bytes(content)
        return path


async def get(cache: Path, repository: Repository) -> Path:
    (path,) = await get_jars(cache, lambda _: None, [JAR], repository)
    return path


async def test_an_intact_jar_is_fetched_once(tmp_path: Path) -> None:
    repository = Repository(CONTENT)
    first, second = await get(tmp_path, repository), await get(tmp_path, repository)
    assert first == second
    assert first.read_bytes() == CONTENT
    assert repository.fetched == 1


def truncate(path: Path) -> None:
    path.write_bytes(CONTENT[:1000])


def change_one_byte(path: Path) -> None:
    seen = path.stat()
    path.write_bytes(CONTENT[:-1] + b"!")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))  # size and times tell nothing


@pytest.mark.parametrize("damage", [truncate, change_one_byte, Path.unlink])
async def test_a_damaged_jar_is_fetched_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    repository = Repository(CONTENT)
    damage(await get(tmp_path, repository))
    assert (await get(tmp_path, repository)).read_bytes() == CONTENT
    assert repository.fetched == 2


async def test_a_half_downloaded_jar_is_fetched_once_more(tmp_path: Path) -> None:
    repository = Repository(CONTENT[:500], CONTENT)
    assert (await get(tmp_path, repository)).read_bytes() == CONTENT
    assert repository.fetched == 2


async def test_a_jar_that_stays_wrong_fails_and_says_what_to_do(tmp_path: Path) -> None:
    repository = Repository(b"something else")
    with pytest.raises(
        EmbeddedError, match=r"org\.example:small:1\.0.*reaches Maven Central.*REFEX_KAFKA_BOOTSTRAP"
    ):
        await get(tmp_path, repository)
    assert repository.fetched == 2
    assert list((tmp_path / "jars").iterdir()) == []  # nothing that a later start could trust


async def test_an_unreachable_repository_fails_and_names_the_cause(tmp_path: Path) -> None:
    def unreachable(jar: Jar, scratch: Path) -> Path:
        raise ConnectionError("no route")

    with pytest.raises(EmbeddedError, match="ConnectionError: no route"):
        await get_jars(tmp_path, lambda _: None, [JAR], unreachable)


def test_the_lock_names_size_and_digest_of_every_jar_and_no_host() -> None:
    jars = read_lock()
    assert {"kafka_2.13", "slf4j-simple"} <= {jar.artifact for jar in jars}
    assert len(jars) == len({jar.file_name for jar in jars}) > 40
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) and jar.size > 1000 for jar in jars)
    assert "://" not in jars_module.LOCK_FILE.read_text()
