"""A real Apache Kafka on loopback: formatted once, then started on the same port with the same logins and data.

In: a directory of its own, a cache directory. Out: bootstrap address and the admin's login.
It must never listen beyond loopback or answer anyone without a login.
"""

import asyncio
import dataclasses
import os
import secrets
import shutil
import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

from infra.embedded.archive import ClassArchive
from infra.embedded.errors import EmbeddedError
from infra.embedded.jars import get_jars
from infra.embedded.java import Java, find_java
from infra.embedded.local import LOOPBACK, keep_or_pick_port, read_state, write_private, write_state
from infra.embedded.process import Child
from infra.embedded.processes import end_all_in
from infra.embedded.server_properties import ADMIN, MECHANISM, BrokerState, server_properties

HEAP = "-Xmx384m"
STOP_SECONDS = 30.0


class EmbeddedKafka:
    """One broker and controller in one process."""

    admin_username = ADMIN
    security_protocol = "SASL_PLAINTEXT"
    sasl_mechanism = MECHANISM

    def __init__(self, home: Path, cache_dir: Path, progress: Callable[[str], None]) -> None:
        self._home = home
        self._cache_dir = cache_dir
        self._progress = progress
        self._state_file = home / "state.json"
        self._properties = home / "server.properties"
        self._state: BrokerState | None = None
        self._java: Java | None = None
        self._archive: ClassArchive | None = None
        self._class_path = ""
        self._used_archive = False

    @property
    def bootstrap(self) -> str:
        """host:port for clients."""
        return f"{LOOPBACK}:{self.state.port}"

    @property
    def admin_password(self) -> str:
        """Of the user that may do everything."""
        return self.state.admin_password

    @property
    def state(self) -> BrokerState:
        """Known once prepared."""
        if self._state is None:
            raise RuntimeError("the embedded Kafka is not prepared yet")
        return self._state

    async def prepare(self) -> Child:
        """Jars, Java, ports, format: all that must be there before the broker starts."""
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        java, jars = await asyncio.gather(
            asyncio.to_thread(find_java), get_jars(self._cache_dir, self._progress)
        )
        self._java = java
        self._class_path = os.pathsep.join(map(str, jars))
        self._archive = ClassArchive(self._cache_dir, java, jars)
        await asyncio.to_thread(self._archive.check)
        self._state = self._load_state()
        write_private(self._properties, server_properties(self._state, self._home / "log"))
        if not self._state.formatted:
            await self._format()
        self._save(dataclasses.replace(self._state, formatted=True))
        return self._child()

    def discard_archive(self) -> bool:
        """After a start that failed: give up the class archive, if one was used, and say so."""
        if self._archive is None or not self._used_archive:
            return False
        self._archive.discard()
        return True

    def stopping(self) -> None:
        """Say why this one stop takes longer."""
        if self._archive is not None and not self._used_archive:
            self._progress("kafka: stopping, and keeping its classes for faster starts (once)")

    def stopped(self, exit_code: int | None) -> None:
        """Take over the class archive if the broker came to its end by itself."""
        if self._archive is not None:
            self._archive.keep(finished=exit_code in (0, 128 + signal.SIGTERM))

    def _load_state(self) -> BrokerState:
        kept = read_state(self._state_file)
        port = keep_or_pick_port(kept.get("port"))
        controller_port = keep_or_pick_port(kept.get("controller_port"))
        while controller_port == port:
            controller_port = keep_or_pick_port(None)
        state = BrokerState(
            cluster_id=kept.get("cluster_id") or cluster_id(),
            port=port,
            controller_port=controller_port,
            admin_password=kept.get("admin_password") or secrets.token_urlsafe(24),
            controller_password=kept.get("controller_password") or secrets.token_urlsafe(24),
            formatted=kept.get("formatted", False),
        )
        self._save(state)
        return state

    def _save(self, state: BrokerState) -> None:
        self._state = state
        write_state(self._state_file, dataclasses.asdict(state))

    async def _format(self) -> None:
        """Write the first metadata, with the admin's login in it."""
        self._progress("kafka: preparing its directory")
        # Of a format that was interrupted, and may still run.
        await asyncio.to_thread(end_all_in, self._home, (signal.SIGKILL, 5.0))
        shutil.rmtree(self._home / "log", ignore_errors=True)
        login = f"{MECHANISM}=[name={ADMIN},password={self.state.admin_password}]"
        arguments = self._home / "format.args"  # a file: other users can read a command line
        write_private(
            arguments,
            f"kafka.tools.StorageTool format --cluster-id {self.state.cluster_id} "
            f'--config "{self._properties}" --add-scram "{login}"\n',
        )
        try:
            done = await asyncio.to_thread(self._run, f"@{arguments}")
        finally:
            arguments.unlink()
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()[-2000:]
            raise EmbeddedError(
                f"Kafka could not format {self._home}: {said}\nRemove that directory and try again"
            )

    def _run(self, argument: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._jvm(), argument],
            cwd=self._home,
            env={**os.environ, "CLASSPATH": self._class_path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _child(self) -> Child:
        return Child(
            name="kafka",
            argv=self._broker,
            environment={"CLASSPATH": self._class_path},
            cwd=self._home,
            stop_signals=((signal.SIGTERM, STOP_SECONDS),),
            ready=self._answers,
        )

    def _broker(self) -> list[str]:
        archive = self._archive
        self._used_archive = archive is not None and archive.exists
        return [*self._jvm(), *(archive.options() if archive else []), "kafka.Kafka", str(self._properties)]

    def _jvm(self) -> list[str]:
        if self._java is None:
            raise RuntimeError("the embedded Kafka is not prepared yet")
        return [
            str(self._java.path),
            HEAP,
            "-XX:+ExitOnOutOfMemoryError",  # then it is started again, instead of limping on
            "-Djava.awt.headless=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        ]

    async def _answers(self) -> None:
        """Raise unless an administrator's call is answered: logins, controller and broker all work then."""
        _, writer = await asyncio.open_connection(
            LOOPBACK, self.state.port
        )  # cheap, and quiet while it boots
        writer.close()
        await writer.wait_closed()
        from aiokafka.admin import AIOKafkaAdminClient

        admin = AIOKafkaAdminClient(
            bootstrap_servers=self.bootstrap,
            security_protocol=self.security_protocol,
            sasl_mechanism=self.sasl_mechanism,
            sasl_plain_username=self.admin_username,
            sasl_plain_password=self.admin_password,
            client_id="refex-embedded",
        )
        try:
            await admin.start()
            await admin.list_topics()
        finally:
            await admin.close()


def cluster_id() -> str:
    """22 characters; the format tool takes one that begins with - for an option."""
    while True:
        drawn = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not drawn.startswith("-"):
            return drawn
