"""What an embedded exchange keeps between starts: its port, the parts' Kafka passwords, participants' credentials.

Files in the data directory, mode 600, written whole. Must never overwrite a credential that was handed out.
"""

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from infra import passwords
from infra.embedded.local import read_state, write_private, write_state
from infra.participants import Participant


class Keeping:
    """The kept state of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._state = data_dir / "exchange.json"
        self.file = data_dir / "participants.json"
        self._lock = data_dir / "participants.lock"

    def port(self) -> int | None:
        """The port of last time."""
        kept = read_state(self._state).get("port")
        return int(kept) if kept else None

    def keep_port(self, port: int) -> None:
        """Remember the port."""
        write_state(self._state, read_state(self._state) | {"port": port})

    def password(self, username: str) -> str:
        """The Kafka password of one of the exchange's own parts, made on first use."""
        state = read_state(self._state)
        logins: dict[str, str] = state.setdefault("logins", {})
        if username not in logins:
            logins[username] = passwords.new_secret()
            write_state(self._state, state)
        return logins[username]

    def participants(self) -> list[Participant]:
        """Every participant with its credentials, in the order they were added."""
        if not self.file.exists():
            return []
        return msgspec.json.decode(self.file.read_bytes(), type=list[Participant])

    def add(self, new: Iterable[Participant]) -> list[Participant]:
        """Keep those not known yet; returns all that are kept."""
        with self._locked():
            kept = self.participants()
            known = {p.id for p in kept}
            if missing := [p for p in new if p.id not in known]:
                kept += missing
                self._write(kept)
            return kept

    def replace(self, changed: Participant) -> None:
        """Keep new credentials of a participant, or add it; its people stay when none are given."""
        with self._locked():
            kept = self.participants()
            old = next((p for p in kept if p.id == changed.id), None)
            if old is not None and not changed.users:
                changed = msgspec.structs.replace(changed, users=old.users)
            self._write([changed if p.id == changed.id else p for p in kept] + ([] if old else [changed]))

    def changed_at(self) -> int:
        """When the participants were last written (nanoseconds), 0 for never."""
        return self.file.stat().st_mtime_ns if self.file.exists() else 0

    def _write(self, kept: list[Participant]) -> None:
        write_private(self.file, msgspec.json.format(msgspec.json.encode(kept)).decode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
