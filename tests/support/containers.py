"""docker-compose.yml's services as processes of this machine, for integration tests; see test_containers.py.

Comes in: running embedded servers. Goes out: each service's own command under its own environment. Only addresses,
mounted directories and the port are replaced.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import asyncpg
import yaml

from infra.embedded.local import keep_or_pick_port
from infra.embedded.postgres_programs import find_programs
from infra.embedded.services import EmbeddedServices

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
SERVERS = ("kafka", "postgres")
PARTS = [
    name
    for name in TopologicalSorter({n: s.get("depends_on", {}) for n, s in SERVICES.items()}).static_order()
    if "profiles" not in SERVICES[name] and name not in SERVERS
]


class Containers:
    """Compose's services as processes of this machine."""

    def __init__(self, root: Path, services: EmbeddedServices) -> None:
        self.root = root
        self.port = keep_or_pick_port(None)
        self.probes: dict[str, int] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.places = {
            "kafka:9092": services.kafka.bootstrap,
            "postgres:5432": f"127.0.0.1:{services.postgres.state.port}",
            "/secrets": str(root / "secrets"),
            "localhost:8080": f"localhost:{self.port}",
        }

    def mapped(self, text: str, name: str) -> str:
        """A value as this machine knows it: defaults taken, addresses and directories replaced."""
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
        for old, new in {**self.places, "/var/lib/refex": str(self.root / "data" / name)}.items():
            text = text.replace(old, new)
        return text

    def environment(self, name: str) -> dict[str, str]:
        given = {k: self.mapped(v, name) for k, v in SERVICES[name].get("environment", {}).items()}
        if "REFEX_PORT" in given:
            given["REFEX_PORT"] = str(self.port)
        if "REFEX_METRICS_PORT" in given:  # containers have an address each, these processes share one
            self.probes.setdefault(name, keep_or_pick_port(None))
            given["REFEX_METRICS_PORT"] = str(self.probes[name])
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | given

    def argv(self, name: str, command: list[str] | None = None) -> list[str]:
        """The service's entry point and command, with the image's programs found in this environment."""
        line = [*SERVICES[name].get("entrypoint", ["refex"]), *(command or SERVICES[name]["command"])]
        return [program(line[0]), *(self.mapped(part, name) for part in line[1:])]

    def run(self, name: str, command: list[str] | None = None) -> str:
        """Run it to its end, as `docker compose run` does; returns its stdout. It must succeed."""
        done = subprocess.run(
            self.argv(name, command),
            env=self.environment(name),
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, name: str) -> None:
        with (self.root / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                self.argv(name), env=self.environment(name), cwd=self.root, stdout=log, stderr=log
            )

    def wait_healthy(self, name: str, seconds: float = 60) -> None:
        """Until the service's own health check says so."""
        kind, first, *rest = SERVICES[name]["healthcheck"]["test"]
        assert kind == "CMD"
        until = time.monotonic() + seconds
        while True:
            check = [program(first), *rest]
            done = subprocess.run(
                check, env=self.environment(name), cwd=self.root, capture_output=True, check=False
            )
            if done.returncode == 0:
                return
            assert self.running[name].poll() is None, f"{name} ended: {self.log(name)}"
            assert time.monotonic() < until, f"{name} is not healthy: {done.stderr!r} {self.log(name)}"
            time.sleep(0.3)

    def log(self, name: str) -> str:
        return (self.root / f"{name}.log").read_text(errors="replace")[-3000:]

    def stop(self) -> dict[str, int]:
        """SIGTERM to all, newest first, as `docker compose stop`; returns their exit codes."""
        for process in reversed(self.running.values()):
            process.send_signal(signal.SIGTERM)
        try:
            return {name: process.wait(30) for name, process in self.running.items()}
        finally:
            for process in self.running.values():
                process.kill()


def program(name: str) -> str:
    """The image's python and refex are this environment's."""
    return {"python": sys.executable, "refex": str(Path(sys.executable).with_name("refex"))}.get(name, name)


def psql() -> str:
    """The psql of this machine, else the one beside the embedded server."""
    beside = [str(found.folder / "psql") for found in find_programs(None)]
    return next(p for p in (shutil.which("psql"), *beside) if p and Path(p).exists())


def bring_up(made: Containers, name: str) -> None:
    """A one-shot runs to its end, as its dependants demand; the others start and become healthy."""
    if SERVICES[name].get("restart") == "no":
        made.run(name)
    else:
        made.start(name)
        made.wait_healthy(name)


async def own_the_database(services: EmbeddedServices, made: Containers) -> None:
    """Set the embedded owner aside and let compose's own script make the one of its credentials."""
    state = services.postgres.state
    url = f"postgresql://postgres:{state.superuser_password}@127.0.0.1:{state.port}/postgres"
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("alter database refex rename to refex_embedded")
        await connection.execute("alter role refex_owner rename to refex_embedded_owner")
    finally:
        await connection.close()
    script = ROOT / "infra" / "compose" / "owner.sql"
    line = [psql(), "--no-psqlrc", "--quiet", "--dbname", url, "--file", str(script)]
    environment = made.environment("postgres")
    await asyncio.to_thread(
        subprocess.run, line, env=environment, check=True, capture_output=True, timeout=60
    )
