"""What a worker answers an orchestrator: /livez, /readyz and /metrics, on a thread and a port of their own.

Comes in: the worker's loop, its servers. Goes out: 200 or 503. Liveness asks nobody outside: a worker whose Postgres is
away waits, and starting it again would mend nothing; only a loop that no longer turns is dead.
"""

import asyncio
import threading
import time
from concurrent.futures import TimeoutError as TookTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from infra.kafka import KafkaLogin
from infra.reachable import OK, Broker, Session, Shared

BEAT_S = 1.0
DEAD_S = 60.0
"""A loop that has not turned for so long will not by itself: reading the largest batch takes a second."""
ANSWER_S = 4.5
AT_ONCE = 16


class Health:
    """`run` in the worker's loop; `serve` once, from anywhere."""

    def __init__(self, url: str, login: KafkaLogin) -> None:
        self._postgres = Session(url, "worker")
        self._broker = Broker(login)
        self._shared = Shared(self._look)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beat = time.monotonic()

    async def run(self) -> None:
        """For ever: show that the loop turns; at the end close what the looks kept open."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._beat = time.monotonic()
                await asyncio.sleep(BEAT_S)
        finally:
            self._loop = None
            await self._shared.close()
            self._postgres.drop()
            await self._broker.close()

    async def _look(self) -> dict[str, str]:
        postgres, kafka = await asyncio.gather(self._postgres.answers(), self._broker.answers())
        return {"postgres": postgres, "kafka": kafka}

    def alive(self) -> bool:
        """Whether the loop turned lately; before it has begun there is nothing to be dead."""
        return self._loop is None or time.monotonic() - self._beat < DEAD_S

    def ready(self) -> dict[str, str]:
        """What the worker needs, and whether it is there; asked from another thread."""
        loop = self._loop
        if loop is None:
            return {"worker": "not running"}
        asked = asyncio.run_coroutine_threadsafe(self._shared(), loop)
        try:
            return asked.result(ANSWER_S)
        except (TookTooLong, asyncio.CancelledError, RuntimeError):
            asked.cancel()
            return {"worker": "busy"}


def serve(health: Health, host: str, port: int) -> int:
    """Serve on a thread of its own; returns the port. Raises OSError when the port is taken."""
    server = _Server((host, port), type("Handler", (_Handler,), {"health": health}))
    threading.Thread(target=server.serve_forever, name="refex-health", daemon=True).start()
    return int(server.server_address[1])


class _Server(ThreadingHTTPServer):
    """Answers so many at once; more are turned away at once."""

    daemon_threads = True

    def __init__(self, *of: Any) -> None:
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(*of)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()


class _Handler(BaseHTTPRequestHandler):
    """One request; whoever does not send it in time is hung up on."""

    health: Health
    timeout = 5

    def do_GET(self) -> None:
        """Answer one of three paths."""
        if self.path == "/livez":
            alive = self.health.alive()
            self._answer(200 if alive else 503, {"status": "ok" if alive else "the loop stands still"})
        elif self.path == "/readyz":
            checks = self.health.ready()
            ready = all(text == OK for text in checks.values())
            said = {"status": "ready" if ready else "not ready", "checks": checks}
            self._answer(200 if ready else 503, said)
        elif self.path == "/metrics":
            self._send(200, generate_latest(), CONTENT_TYPE_LATEST)
        else:
            self._answer(404, {"status": "there are /livez, /readyz and /metrics"})

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        self._send(status, msgspec.json.encode(said), "application/json")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Probes are not worth a line each."""
