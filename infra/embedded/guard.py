"""The parent's side of the guardian: starts it, tells it which children to end, starts it again should it die.

In: children that began or ended. It must never let the write end of the pipe reach another process.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from infra.embedded.guardian import IGNORED, TOKEN_VARIABLE
from infra.embedded.processes import Identity, identify

PACKAGE_ROOT = Path(__file__).parents[2]


class Guard:
    """A running guardian and the children it was told of."""

    def __init__(self, log: Path, token: str, hold: tuple[int, ...] = ()) -> None:
        """`token` marks the children; `hold`: descriptors (a lock) kept open until the last child is gone."""
        self.environment = {TOKEN_VARIABLE: token}
        self._log = log
        self._hold = hold
        self._watched: dict[Identity, signal.Signals] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The guardian's own pid while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the guardian and tell it all it must know."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        # A blocked signal stays blocked in the child: it cannot die of one before it has come to ignore it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED)
        try:
            self._process = self._popen()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._send({"token": self.environment[TOKEN_VARIABLE]})
        for identity, number in self._watched.items():
            self._tell("watch", identity, number)

    def watch(self, pid: int, number: signal.Signals) -> Identity | None:
        """From now on end this child when the parent is gone, first with this signal."""
        identity = identify(pid)
        if identity is not None:
            self._watched[identity] = number
            self._tell("watch", identity, number)
        return identity

    def forget(self, identity: Identity) -> None:
        """The child has ended and was reaped; its pid may belong to another soon."""
        number = self._watched.pop(identity, None)
        if number is not None:
            self._tell("forget", identity, number)

    def ensure(self) -> None:
        """Start the guardian again if something ended it."""
        if self._process is not None and self._process.poll() is not None:
            self._close_pipe()
            self.start()

    def stop(self, seconds: float = 10.0) -> None:
        """Close the pipe: the guardian ends what is left (normally nothing) and goes. Blocks."""
        if self._process is None:
            return
        self._close_pipe()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _popen(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "infra.embedded.guardian"],
                cwd=PACKAGE_ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=self._hold,
            )

    def _tell(self, what: str, identity: Identity, number: signal.Signals) -> None:
        self._send(
            {"do": what, "pid": identity.pid, "created": identity.created, "signal": int(number)},
        )

    def _send(self, message: dict[str, object]) -> None:
        if self._process is not None and self._process.stdin is not None:
            # A dead guardian is noticed and replaced by ensure(), which tells the new one everything.
            with contextlib.suppress(BrokenPipeError, ValueError):
                os.write(self._process.stdin.fileno(), json.dumps(message).encode() + b"\n")

    def _close_pipe(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
