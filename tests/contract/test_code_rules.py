"""Rules about the code that no type checker knows: SQL is never put together, signatures are read in one place.

Each rule is tried on a planted violation in every run: a check that cannot fail is none.
"""

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from api.middleware import HEADERS

ROOT = Path(__file__).parents[2]
PACKAGES = ("referrals", "avro_schemas", "producers", "stream_processors", "api", "infra", "cli")
ASKS = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "prepare", "cursor"}
# Where a statement names a schema or role, which no parameter can: the names are ours, checked before.
NAMED_SCHEMAS = {
    "stream_processors/rebuild.py": "the schema a rebuild writes to, an identifier checked by `Target`",
    "stream_processors/comparing.py": "tables and columns as the catalog names them",
    "stream_processors/replacing.py": "the tables of PROJECTIONS",
    "infra/embedded/postgres.py": "a role and a database of ours, with a password that we drew",
    "infra/compose/logins.py": "Postgres' own format() quotes the names of our roles",
    "cli/rebuild.py": "the schema of the live tables",
}
# Commands without click: they print what they made.
COMMANDS = {
    "avro_schemas/compatibility.py",
    "infra/compose/credentials.py",
    "infra/compose/logins.py",
    "infra/compose/runtime_lock.py",
    "infra/embedded/kafka_lock.py",
}
LONGEST = 300  # lines
Rule = Callable[[str, ast.AST], str | None]


@cache
def sources() -> list[tuple[str, ast.AST]]:
    """Every file of ours, parsed once."""
    return [
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


def put_together(node: ast.AST) -> bool:
    """Whether an expression makes a text of parts: f-string with values, %, +, format, join."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
        return True
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("format", "join", "replace")
    )


def sql_of_parts(file: str, node: ast.AST) -> str | None:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKS):
        return None
    if file in NAMED_SCHEMAS or not node.args or not put_together(node.args[0]):
        return None
    return "a statement put together from parts; write it in a .sql file, with parameters"


def signatures_read(file: str, node: ast.AST) -> str | None:
    readers = ("decode", "deserialize_compact", "deserialize_json", "deserialize")
    if file in ("api/assertion.py", "api/id_token.py") or not (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ):
        return None
    owner = ast.unparse(node.func.value)
    if node.func.attr in readers and owner.rpartition(".")[2] in ("jwt", "jws", "jose", "JWT", "JWS"):
        return "a signed token is read in api/assertion.py and api/id_token.py alone"
    return None


def unverified(file: str, node: ast.AST) -> str | None:
    off = (
        isinstance(node, ast.keyword)
        and node.arg in ("verify", "verify_ssl", "check_hostname")
        and isinstance(node.value, ast.Constant)
        and not node.value.value
    )
    unsafe = isinstance(node, ast.Attribute) and node.attr in ("CERT_NONE", "_create_unverified_context")
    return "certificates are always verified" if off or unsafe else None


def printed(file: str, node: ast.AST) -> str | None:
    """print, stdout, traceback: what is said goes through the log (infra/logs.py), or click in a command."""
    if not isinstance(node, ast.Call):
        return None
    said = ast.unparse(node.func)
    if said in (
        "print",
        "pprint",
        "traceback.print_exc",
        "traceback.print_exception",
        "traceback.format_exc",
    ):
        return f"{said}: log an event of infra/log_words.py"
    if said in ("sys.stdout.write", "sys.stderr.write") and file not in COMMANDS:
        return f"{said}: log an event of infra/log_words.py"
    return None


RULES: dict[Rule, str] = {
    sql_of_parts: "async def f(c, name):\n    await c.fetch(f'select * from person where name = {name}')",
    signatures_read: "from joserfc import jwt\ndef f(t, k):\n    return jwt.decode(t, k)",
    unverified: "def f(h, u):\n    return h.get(u, verify=False)",
    printed: "def f(body):\n    print(body)",
}
PLANTED = (
    (sql_of_parts, "async def f(c, n):\n    await c.execute('delete from x where n = ' + n)"),
    (sql_of_parts, "async def f(c, n):\n    await c.fetchval('select %s' % n)"),
    (sql_of_parts, "async def f(c, n):\n    await c.fetchrow('select {}'.format(n))"),
    (unverified, "import ssl\nx = ssl.CERT_NONE"),
    (printed, "import traceback\ndef f():\n    traceback.print_exc()"),
    *RULES.items(),
)


def violations(rule: Rule, file: str, tree: ast.AST) -> list[str]:
    return [
        f"{file}:{getattr(node, 'lineno', 0)} {why}" for node in ast.walk(tree) if (why := rule(file, node))
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.__name__)
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    assert [why for file, tree in sources() for why in violations(rule, file, tree)] == []


@pytest.mark.parametrize(("rule", "text"), PLANTED)
def test_a_planted_violation_is_found(rule: Rule, text: str) -> None:
    assert violations(rule, "api/planted.py", ast.parse(text))


def test_where_schemas_are_named_it_is_still_needed() -> None:
    asked = {
        file
        for file, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ASKS
        and node.args
        and put_together(node.args[0])
    }
    assert asked == NAMED_SCHEMAS.keys()


KEEPS = re.compile(r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\.|console\.|serviceWorker")


def test_pages_leave_nothing_in_the_browser() -> None:
    """What a shared computer kept would outlive the log-off: no storage, no console, and no cache (HEADERS)."""
    pages = [
        p
        for folder in ("static", "templates")
        for p in (ROOT / "api" / folder).iterdir()
        if p.suffix != ".svg"
    ]
    assert len(pages) > 10
    assert [p.name for p in pages if KEEPS.search(p.read_text(encoding="utf-8"))] == []
    assert KEEPS.search("window.localStorage.setItem('name', name)")
    assert HEADERS["Cache-Control"] == "no-store"


def too_long(files: dict[str, int]) -> list[str]:
    """Files that nobody reads to their end."""
    return [f"{name}: {lines} lines; split it by topic" for name, lines in files.items() if lines > LONGEST]


def test_no_file_is_longer_than_one_reads() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for package in (*PACKAGES, "tests", "docs")
        for path in (ROOT / package).rglob("*.py")
    }
    assert too_long(found) == []
    assert too_long({"planted.py": LONGEST + 1, "well.py": LONGEST}) == [
        f"planted.py: {LONGEST + 1} lines; split it by topic"
    ]
