"""Every crash point of the table stands in the code exactly once, and the code knows no other."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from infra.crash_points import POINTS

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "stream_processors", "producers", "infra", "cli", "avro_schemas", "referrals")


def points(tree: ast.AST) -> Iterator[str]:
    """The names of `crash_points.here(...)` in a file; a name that is no literal is no name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "crash_points.here":
            (name,) = node.args
            assert isinstance(name, ast.Constant), f"line {node.lineno}: write the name of the point here"
            yield str(name.value)


def test_every_point_of_the_table_is_in_the_code_exactly_once_and_no_other() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    assert len(files) > 100
    found = Counter(name for file in files for name in points(ast.parse(file.read_text(encoding="utf-8"))))
    assert found == Counter(POINTS.keys())


def test_there_are_points_in_every_kind_of_process_each_with_a_sentence() -> None:
    assert len(POINTS) >= 25
    parts = {name.partition(".")[0] for name in POINTS}
    assert parts >= {
        "inbox",
        "batch",
        "relay",
        "timers",
        "notify",
        "api",
        "dead-letters",
        "import",
        "rebuild",
    }
    assert all(len(sentence.split()) > 4 for sentence in POINTS.values())
    assert len(set(POINTS.values())) == len(POINTS)
