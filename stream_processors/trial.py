"""Records that kill the process that reads them are found in another process, by halves, and never read in this one.

Comes in: records, as bytes. Goes out: those whose reading ended a process three times by a crash or for lack of memory.
A process that somebody killed proves nothing and is tried again. `python -m stream_processors.trial` is that process.
"""

import asyncio
import contextlib
import importlib
import resource
import signal
import sys
from collections.abc import Sequence

import msgspec
import structlog

from avro_schemas import registry
from infra.settings import settings
from stream_processors.decode import Raw
from stream_processors.runs import Consumed, appended_at

READER = "stream_processors.decode:read"
DEATHS = 3
NO_MEMORY = 77
MEMORY = 768 * 1024 * 1024
LIMIT_S = 120.0
CRASHES = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE, NO_MEMORY}
log = structlog.get_logger()


async def deadly(records: Sequence[Consumed], reader: str = READER) -> list[Consumed]:
    """The records that must not be read here; `reader` is a function by name, `module:name`."""
    if not records or not await _crashes(records, reader):
        return []
    if len(records) > 1:
        middle = len(records) // 2
        first = await deadly(records[:middle], reader)
        return first + await deadly(records[middle:], reader)
    for _ in range(DEATHS - 1):
        if not await _crashes(records, reader):
            return []
    return list(records)


async def _crashes(records: Sequence[Consumed], reader: str) -> bool:
    """Whether reading them ends a process by itself; one killed from outside is started again."""
    copies = [Raw(r.topic, r.partition, r.offset, r.key, r.value, appended_at(r)) for r in records]
    while True:
        code = await _read_elsewhere(msgspec.msgpack.encode(copies), reader)
        if code != -signal.SIGKILL:
            return code in CRASHES
        log.warning("the process that tries records was killed; trying again", records=len(records))


async def _read_elsewhere(content: bytes, reader: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream_processors.trial", reader),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            await process.communicate(content)
    except TimeoutError:  # it would hang this process too
        return -signal.SIGABRT
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return process.returncode or 0


def main() -> None:
    """Read every record of stdin by the function of the first argument; exit 0 when this process survives it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, _, name = sys.argv[1].partition(":")
    read = getattr(importlib.import_module(module), name)
    registry.adopt(settings().schema_registry_url)
    records = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[Raw])
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    try:
        for record in records:
            read(record)
    except MemoryError:
        sys.exit(NO_MEMORY)


if __name__ == "__main__":
    main()
