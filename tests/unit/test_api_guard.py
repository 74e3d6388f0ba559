"""What the guard says of failures: a problem to the caller, and to the log where it happened, not what it quoted."""

from api.guard import as_problem
from tests.support.logs import written


def test_what_nobody_foresaw_is_logged_without_its_message() -> None:
    with written() as log:
        try:
            raise KeyError("Test Synthetic, born 1980-02-01")
        except KeyError as error:
            problem = as_problem(error)
    assert problem.kind == "internal"
    (line,) = log.lines()
    assert line["error"] == "KeyError"
    assert line["frames"][-1].startswith("tests/unit/test_api_guard.py:")
    assert "Synthetic" not in log.getvalue() + str(problem)
