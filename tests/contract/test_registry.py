"""avro_schemas/registry.py against a small real HTTP server that speaks the three endpoints it uses."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from avro_schemas import codec, registry
from avro_schemas.registry import RegistryError

FACT = {
    "referral_id": "r",
    "event_id": "e",
    "occurred_at": 1,
    "kind": "first-response",
    "generation": 2,
}


class Registry(ThreadingHTTPServer):
    """Subjects, and ids counted from `first`; equal schemas share an id, as real registries do."""

    def __init__(self, first: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.first = first
        self.schemas: list[str] = []
        self.subjects: dict[str, str] = {}
        self.refuses = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def id_of(self, text: str) -> int:
        if text not in self.schemas:
            self.schemas.append(text)
        return self.first + self.schemas.index(text)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Registry

    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["schema"]
        _, _, subject, *rest = unquote(self.path).split("/")
        if self.server.refuses and self.server.refuses in subject:
            return self._answer(409, {"error_code": 409, "message": "incompatible"})
        if rest == ["versions"]:
            self.server.subjects[subject] = text
        elif self.server.subjects.get(subject) != text:
            return self._answer(404, {"error_code": 40403, "message": "Schema not found"})
        return self._answer(200, {"id": self.server.id_of(text), "subject": subject, "version": 1})

    def do_GET(self) -> None:
        number = int(self.path.rpartition("/")[2])
        plain = json.dumps(json.loads(self.server.schemas[number - self.server.first]), indent=2)
        self._answer(200, {"schema": plain})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", registry.TYPE)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(params=[1, 100], ids=["an empty registry", "a registry others use"])
def server(request: pytest.FixtureRequest) -> Iterator[Registry]:
    with Registry(request.param) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()
            codec.use_ids({})


def test_every_schema_is_registered_under_topic_and_record_name(server: Registry) -> None:
    found = registry.register(server.url, ["bay-clinic"])
    assert found.keys() == codec.ids().keys()
    assert "referral.event-org.referralexchange.v1.ReferralFact" in server.subjects
    assert "intake.bay-clinic-org.referralexchange.v1.ReferralSubmitted" in server.subjects
    assert registry.look_up(server.url) == found
    assert registry.register(server.url, ["bay-clinic"]) == found, "again is harmless"


def test_a_part_writes_the_registry_s_ids_and_reads_both(server: Registry) -> None:
    before = codec.encode("deadline_due.v1", FACT)
    registered = registry.register(server.url)
    differing = registry.adopt(server.url)
    assert differing == {n: i for n, i in registered.items() if codec.ids()[n] != i} != {}
    after = codec.encode("deadline_due.v1", FACT)
    assert int.from_bytes(after[1:5], "big") == registered["deadline_due.v1"]
    assert codec.decode(after) == ("deadline_due.v1", FACT)
    if server.first == 100:
        assert codec.decode(before) == ("deadline_due.v1", FACT), "no registered schema took the pinned id"


def test_without_a_registry_the_pinned_ids_are_written() -> None:
    assert registry.adopt(None) == registry.adopt("") == {}
    assert codec.encode("deadline_due.v1", FACT)[1:5] == codec.ids()["deadline_due.v1"].to_bytes(4, "big")


def test_a_registry_with_our_ids_changes_nothing(server: Registry) -> None:
    if server.first == 1:
        pinned = {number: codec.read_text(f"{name}.avsc") for name, number in codec.ids().items()}
        server.schemas = [pinned.get(n, f"another's {n}") for n in range(1, max(pinned) + 1)]
        registry.register(server.url)
        assert registry.adopt(server.url) == {}


def test_what_was_not_registered_is_said(server: Registry) -> None:
    with pytest.raises(RegistryError, match="refex topics apply"):
        registry.adopt(server.url)


def test_a_refusal_is_said_with_its_reason(server: Registry) -> None:
    server.refuses = "CoverageSpell"
    with pytest.raises(RegistryError, match=r"coverage_spell\.v1 \(409\).*incompatible"):
        registry.register(server.url)


def test_an_id_that_means_another_schema_is_refused(server: Registry) -> None:
    registry.register(server.url)
    server.schemas[0] = '{"type": "record", "name": "Other", "fields": []}'
    server.subjects = {s: t for s, t in server.subjects.items() if "ReferralSubmitted" not in s}
    registered = codec.read_text("referral_submitted.v1.avsc")
    server.id_of = lambda text: server.first if text == registered else server.first + 1  # type: ignore[method-assign]
    with pytest.raises(RegistryError, match="is not referral_submitted"):
        registry.register(server.url)


def test_no_registry_there() -> None:
    with pytest.raises(RegistryError, match="SCHEMA_REGISTRY_URL"):
        registry.adopt("http://127.0.0.1:9")
