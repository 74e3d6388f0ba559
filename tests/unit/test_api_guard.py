"""What the guard says of failures: a problem to the caller, and to the log where it happened, not what it quoted."""

from structlog.testing import capture_logs

from api.guard import as_problem


def test_what_nobody_foresaw_is_logged_without_its_message() -> None:
    with capture_logs() as lines:
        try:
            raise KeyError("Test Synthetic, born 1980-02-01")
        except KeyError as error:
            problem = as_problem(error)
    assert problem.kind == "internal"
    assert [line["error"] for line in lines] == ["KeyError"]
    assert "test_api_guard.py" in lines[0]["where"]
    assert "Synthetic" not in str(lines) + str(problem)
