"""The broker's jars: fetched once through jgo, checked against kafka.lock at every start.

In: a cache directory. Out: the jars' paths, each with the size and SHA-256 the lock names.
It must never hand out a file it has not just checked, nor leave a half-written one under a final name.
"""

import asyncio
import contextlib
import hashlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.errors import EmbeddedError

LOCK_FILE = Path(__file__).with_name("kafka.lock")
DOWNLOADS_AT_ONCE = 8
TIMEOUT = 60
SCRATCH = ".fetching-"
MEGABYTE = 1_000_000

Progress = Callable[[str], None]
Fetch = Callable[["Jar", Path], Path]


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.group}-{self.artifact}-{self.version}.jar"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


def read_lock(lock: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """The jars in class path order; lines are `group:artifact:version size sha256`, # begins a comment."""
    jars = []
    for line in lock.read_text().splitlines():
        if line and not line.startswith("#"):
            coordinate, size, sha256 = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(group, artifact, version, int(size), sha256))
    return tuple(jars)


def is_intact(path: Path, jar: Jar) -> bool:
    """Whether the file is exactly the one the lock names."""
    try:
        if path.stat().st_size != jar.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


async def get_jars(
    cache_dir: Path, progress: Progress, jars: Sequence[Jar] | None = None, fetch: Fetch | None = None
) -> list[Path]:
    """All jars, fetching what is missing or broken. 45 MB are hashed in about a tenth of a second."""
    wanted = read_lock() if jars is None else jars
    folder = cache_dir / "jars"
    folder.mkdir(parents=True, exist_ok=True)
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(DOWNLOADS_AT_ONCE, thread_name_prefix="jars")
    try:
        intact = await asyncio.gather(
            *(loop.run_in_executor(pool, is_intact, folder / jar.file_name, jar) for jar in wanted)
        )
        missing = [jar for jar, good in zip(wanted, intact, strict=True) if not good]
        if missing:
            await _fetch_all(pool, folder, missing, fetch or fetch_with_jgo, progress)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [folder / jar.file_name for jar in wanted]


async def _fetch_all(
    pool: ThreadPoolExecutor, folder: Path, jars: list[Jar], fetch: Fetch, progress: Progress
) -> None:
    total = sum(jar.size for jar in jars)
    _sweep(folder)
    progress(f"kafka: fetching {len(jars)} jars, {total / MEGABYTE:.0f} MB, once")
    loop = asyncio.get_running_loop()
    stop = threading.Event()
    largest_first = sorted(jars, key=lambda jar: -jar.size)
    futures = [loop.run_in_executor(pool, _fetch_one, folder, jar, fetch, stop) for jar in largest_first]
    done = told = 0
    try:
        for finished in asyncio.as_completed(futures):
            done += await finished
            if done - told >= 5 * MEGABYTE or done == total:
                told = done
                progress(f"kafka: fetched {done / MEGABYTE:.0f} of {total / MEGABYTE:.0f} MB")
    except BaseException:
        stop.set()
        for future in futures:
            future.cancel()
        await asyncio.gather(*futures, return_exceptions=True)
        raise


def _fetch_one(folder: Path, jar: Jar, fetch: Fetch, stop: threading.Event) -> int:
    """Fetch into a folder of its own, check, then move; a second time if the first came out wrong."""
    problem = "it arrived with another size or SHA-256 than kafka.lock names"
    for _ in range(2):
        if stop.is_set():
            return 0
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch:
            try:
                fetched = fetch(jar, Path(scratch))
            except ImportError as error:
                raise EmbeddedError(f"{error}; say pip install 'referral-exchange[embedded]'") from error
            except Exception as error:  # jgo raises whatever its parts raise; each means: not fetched
                problem = f"{type(error).__name__}: {error}"
                continue
            if is_intact(fetched, jar):
                fetched.replace(folder / jar.file_name)
                return jar.size
    raise EmbeddedError(
        f"could not fetch {jar} for the embedded broker ({problem}). Check that this machine reaches Maven Central "
        f"(a proxy?) and try again; or copy the files of a machine where it works to {folder}; "
        "or use a broker of your own with REFEX_KAFKA_BOOTSTRAP"
    )


def _sweep(folder: Path) -> None:
    """Drop what fetches that were killed an hour ago or more left behind."""
    for scratch in folder.glob(f"{SCRATCH}*"):
        with contextlib.suppress(OSError):
            if time.time() - scratch.stat().st_mtime > 3600:
                shutil.rmtree(scratch)


def fetch_with_jgo(jar: Jar, scratch: Path) -> Path:
    """Download one jar below `scratch`; blocks."""
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=scratch, timeout=TIMEOUT)
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    return Path(artifact.resolve())
