"""`python -m infra.embedded.guardian`: ends the children of an exchange that was killed before it could.

In, on stdin: one JSON line per child (`watch`, `forget`). Only the parent holds the other end, so end of file means
the parent is gone, however it died. It must never end a process it was not told of, nor die of Ctrl-C.
"""

import json
import signal
import sys
from typing import TextIO

from infra.embedded.processes import Identity, wait_gone, with_environment

TOKEN_VARIABLE = "EXCHANGE_GUARD_TOKEN"  # noqa: S105 - the name of a variable, no secret
"""Set in every child (REFEX_* are settings): finds one that was started in the instant before its parent died."""

IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Meant for the parent, whose end is what counts."""

GRACE = 4.0
"""Seconds the orphans get to stop in order before they are killed."""


def main() -> None:
    """Listen until the parent is gone, then end what is left."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    token, watched = listen(sys.stdin)
    end(token, watched)


def listen(lines: TextIO) -> tuple[str, dict[Identity, signal.Signals]]:
    """Read to the end of the pipe: the token, and the children that were not forgotten."""
    token = ""
    watched: dict[Identity, signal.Signals] = {}
    for line in lines:
        try:
            message = json.loads(line)
        except ValueError:
            continue  # the parent died in the middle of a line
        if "token" in message:
            token = message["token"]
            continue
        identity = Identity(message["pid"], message["created"])
        if message["do"] == "watch":
            watched[identity] = signal.Signals(message["signal"])
        else:
            watched.pop(identity, None)
    return token, watched


def end(token: str, watched: dict[Identity, signal.Signals]) -> None:
    """Ask each to stop in its own way, then kill what did not."""
    known = {identity.pid for identity in watched}
    strays = [stray for stray in with_environment(TOKEN_VARIABLE, token) if token and stray.pid not in known]
    for identity, number in watched.items():
        identity.send(number)
    for stray in strays:
        stray.send(signal.SIGTERM)
    for identity in wait_gone([*watched, *strays], GRACE):
        identity.kill_family()
    for stray in with_environment(TOKEN_VARIABLE, token) if token else ():
        stray.kill_family()


if __name__ == "__main__":
    main()
