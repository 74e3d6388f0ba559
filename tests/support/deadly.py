"""A reader that dies as its records tell it to: stands in for a decoder that a record can crash."""

import ctypes
import os
import signal
from pathlib import Path

from stream_processors.decode import Raw


def read(raw: Raw) -> object:
    """Dies of b"segv"; aborts for b"abort"; runs out of memory for b"bomb"; is killed once for b"killed"."""
    if raw.value == b"segv":
        ctypes.string_at(0)
    if raw.value == b"abort":
        os.abort()
    if raw.value == b"bomb":
        return [bytearray(64 * 1024 * 1024) for _ in range(64)]
    if raw.value and raw.value.startswith(b"killed "):
        marker = Path(raw.value[7:].decode())
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if raw.value == b"bug":
        raise RuntimeError("a bug of ours")
    return raw
