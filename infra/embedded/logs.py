"""The log file of a child: it writes there itself, so that it neither waits for its parent nor dies with it.

Bounded: past a limit only the newest part is kept. The tail goes into error messages.
"""

from pathlib import Path

LIMIT = 8 * 1024 * 1024
KEPT = 1024 * 1024


def trim(log: Path, limit: int = LIMIT, kept: int = KEPT) -> None:
    """Keep the newest part of a log that grew past the limit; a line written meanwhile may be lost."""
    if not log.exists() or log.stat().st_size <= limit:
        return
    with log.open("r+b") as file:
        file.seek(-kept, 2)
        newest = file.read().partition(b"\n")[2]
        file.seek(0)
        file.write(newest)
        file.truncate()  # the child appends: its next line follows this one


def tail(log: Path, lines: int = 15) -> str:
    """The last lines, for a message."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
