"""Every line our code logs is listed, with listed keys; libraries whose text is shown write templates alone."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from infra import log_foreign, log_words

ROOT = Path(__file__).parents[2]
PACKAGES = ("referrals", "avro_schemas", "producers", "stream_processors", "api", "infra", "cli")
LEVELS = {"debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log"}
STANDARD = {"infra/logs.py", "infra/log_foreign.py", "stream_processors/leaving.py"}
"""Where the standard library's logging is used: to catch what libraries say."""


def calls(folder: Path) -> Iterator[tuple[Path, ast.Call]]:
    """The calls of anything that is named as a logger."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = ast.unparse(node.func.value).rpartition(".")[2]
            if node.func.attr in LEVELS and owner in ("log", "logger", "_logger", "logging"):
                yield path, node


OURS = [(path.relative_to(ROOT).as_posix(), call) for name in PACKAGES for path, call in calls(ROOT / name)]


def test_every_line_is_a_listed_event_with_listed_keys() -> None:
    assert len(OURS) > 10
    wrong = []
    for file, call in OURS:
        event = call.args[0] if call.args else None
        literal = isinstance(event, ast.Constant) and event.value in log_words.EVENTS
        if len(call.args) != 1 or not literal or any(k.arg not in log_words.KEYS for k in call.keywords):
            wrong.append(f"{file}:{call.lineno} {ast.unparse(call)}")
    assert wrong == [], "a line is a literal of log_words.EVENTS with keys of log_words.KEYS"


def test_every_listed_event_is_still_written() -> None:
    written = {call.args[0].value for _, call in OURS if isinstance(call.args[0], ast.Constant)}
    assert written == log_words.EVENTS


def test_nobody_else_uses_the_standard_library_s_logging() -> None:
    found = set()
    for name in PACKAGES:
        for path in (ROOT / name).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
            if "logging" in imported:
                found.add(path.relative_to(ROOT).as_posix())
    assert found == STANDARD


@pytest.mark.parametrize("name", sorted(log_foreign.TEMPLATES))
def test_a_library_whose_text_is_shown_writes_templates_alone(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None and spec.submodule_search_locations
    found = list(calls(Path(spec.submodule_search_locations[0])))
    assert found
    for path, call in found:
        place = 1 if call.func.attr == "log" else 0  # type: ignore[attr-defined]
        assert isinstance(call.args[place], ast.Constant), (
            f"{path}:{call.lineno} puts its text together itself"
        )


def test_what_speaks_for_itself_is_a_type_of_ours() -> None:
    defined = {
        node.name
        for name in PACKAGES
        for path in (ROOT / name).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    assert defined >= log_words.SAYING
