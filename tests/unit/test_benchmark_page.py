"""The page of the benchmarks says what the kept files say, and nothing else."""

from typing import Any

from tests.benchmarks import figures, page
from tests.benchmarks.memory import Memory

LATENCY: dict[str, Any] = {
    "environment": {"git": "abc123", "goals": ["p99 <= 50 ms"], "packages": {"aiokafka": "1"}},
    "rows": [
        {"door": "http", "rate": 200, "p99": 12.5},
        {"door": "sse", "rate": 200, "p99": 30.0, "unseen": 1},
    ],
    "took_s": 61,
}


def test_a_kept_run_becomes_a_section_with_its_table_goals_and_environment() -> None:
    written = page.page({"latency": LATENCY})
    assert "## Publish to visible, open loop" in written
    assert "| door | rate | p99 | unseen |" in written and "| http | 200 | 12.5 |  |" in written
    assert "Wanted: p99 <= 50 ms." in written
    assert "git abc123" in written and "aiokafka 1" in written and "It took 61 s." in written


def test_what_is_not_known_by_name_is_shown_after_what_is() -> None:
    other = {"environment": {}, "rows": [{"a": 1}]}
    written = page.page({"another": other, "latency": LATENCY})
    assert written.index("## Publish") < written.index("## another")


def test_the_longest_bar_is_the_greatest_value() -> None:
    drawn = page.drawing("latency", LATENCY["rows"])
    assert drawn is not None and 'width="420"' in drawn and 'width="175"' in drawn
    assert page.drawing("another", []) is None


def test_quantiles_count_every_value() -> None:
    found = figures.spread([n / 1000 for n in range(1, 101)])
    assert found == {"count": 100, "p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0}
    assert figures.spread([]) == {"count": 0}


def test_memory_that_grows_has_a_slope_and_memory_that_does_not_has_none() -> None:
    growing, flat = Memory(), Memory()
    growing.samples = [(float(n), 100.0 + n) for n in range(61)]
    flat.samples = [(float(n), 100.0) for n in range(61)]
    assert growing.row(600_000)["MB a minute"] == 60.0 and growing.row(600_000)["MB per 100,000"] == 10.0
    assert flat.row(600_000)["MB a minute"] == 0.0
