"""Every planted bug still fits the code exactly once, compiles, and names checks that exist."""

import ast
from pathlib import Path

import pytest

from tests.mutants.planted import Bug, Planted, StaleError, bugs, changed

ROOT = Path(__file__).parents[2]
BUGS = bugs()


@pytest.mark.parametrize("bug", BUGS, ids=lambda b: b.name)
def test_a_planted_bug_applies_and_compiles(bug: Bug) -> None:
    for path, text in changed(ROOT, bug).items():
        assert not path.exists() or text != path.read_text(encoding="utf-8"), "a bug changes something"
        if path.suffix == ".py":
            compile(text, str(path), "exec")


@pytest.mark.parametrize("bug", BUGS, ids=lambda b: b.name)
def test_its_checks_exist(bug: Bug) -> None:
    assert bug.checks, "a bug without a check is only a bug"
    for check in bug.checks:
        file, _, name = check.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name.partition("[")[0] in defined, f"{check} does not exist"
        assert (bug.tier == "fast") == file.startswith(("tests/unit/", "tests/contract/")), check


def test_a_bug_that_no_longer_fits_is_said(tmp_path: Path) -> None:
    bug = next(b for b in BUGS if b.edit[0].old)
    path = tmp_path / bug.edit[0].file
    path.parent.mkdir(parents=True)
    for text in ("", bug.edit[0].old * 2):
        path.write_text(text)
        with pytest.raises(StaleError, match=f"{bug.name} no longer applies"):
            changed(tmp_path, bug)


def test_what_was_planted_is_taken_out_again(tmp_path: Path) -> None:
    bug = next(b for b in BUGS if len(b.edit) == 1 and b.edit[0].old)
    path = tmp_path / bug.edit[0].file
    path.parent.mkdir(parents=True)
    path.write_text(before := f"# before\n{bug.edit[0].old}# after\n")
    with Planted(tmp_path, bug):
        assert bug.edit[0].new in path.read_text() != before
    assert path.read_text() == before
