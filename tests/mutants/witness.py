"""A pytest plugin that writes down what became of each test, and by which exception: red because of what?

Comes in: a pytest run (`-p tests.mutants.witness`). Goes out: JSON in the file that MUTANTS_WITNESS names.
"""

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

# What a planted bug raises that was planted badly: it proves nothing of the check.
CLUMSY = (SyntaxError, ImportError, NameError, AttributeError, TypeError)
_seen: dict[str, str] = {}
_broken: list[str] = []


def _verdict(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        inner = [_verdict(e) for e in error.exceptions]
        return next((v for v in inner if v.startswith("clumsy")), inner[0])
    kind = "clumsy" if isinstance(error, CLUMSY) else "red"
    return f"{kind} {type(error).__name__}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """A test is red by what its own body raised; what fails before or after it is another matter."""
    report = yield
    if call.when == "call":
        _seen[item.nodeid] = "green" if call.excinfo is None else _verdict(call.excinfo.value)
    elif call.excinfo is not None and item.nodeid not in _seen:
        _seen[item.nodeid] = f"clumsy {call.when}: {call.excinfo.typename}"
    return report


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A file that cannot be collected shows nothing."""
    if report.failed:
        _broken.append(report.nodeid)


def pytest_sessionfinish() -> None:
    """All that was seen, for the runner."""
    Path(os.environ["MUTANTS_WITNESS"]).write_text(json.dumps({"tests": _seen, "broken": _broken}))
