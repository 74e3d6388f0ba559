"""A process ends itself at the named point and passing, in development alone, and says so first."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra import crash_points
from infra.settings import SettingsError, load

PASSES = """
from infra import crash_points
crash_points.armed()
for number in range(5):
    print(number, flush=True)
    crash_points.here("batch.saved")
    crash_points.here("batch.moved")
"""


def run(folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REFEX_")}
    environment |= {"REFEX_DATA_DIR": str(folder)} | settings
    return subprocess.run(
        [sys.executable, "-c", PASSES], env=environment, capture_output=True, text=True, timeout=60
    )


def test_it_is_killed_the_third_time_it_passes_and_leaves_a_line(tmp_path: Path) -> None:
    ran = run(tmp_path, REFEX_CRASH_AT="relay.held:1,batch.moved:3", REFEX_DEVELOPMENT="true")
    assert ran.returncode == -signal.SIGKILL
    numbers = [line for line in ran.stdout.splitlines() if line.isdigit()]
    assert numbers == ["0", "1", "2"]
    assert "end itself on purpose" in ran.stdout + ran.stderr
    (line,) = (tmp_path / crash_points.LOG).read_text().splitlines()
    assert line.startswith("batch.moved SIGKILL ")


@pytest.mark.parametrize("settings", [{}, {"REFEX_CRASH_AT": "", "REFEX_DEVELOPMENT": "true"}])
def test_without_the_setting_nothing_happens(tmp_path: Path, settings: dict[str, str]) -> None:
    ran = run(tmp_path, **settings)
    assert (ran.returncode, ran.stdout.split(), ran.stderr) == (0, ["0", "1", "2", "3", "4"], "")
    assert not (tmp_path / crash_points.LOG).exists()


def test_outside_development_a_process_with_a_crash_point_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="REFEX_DEVELOPMENT"):
        load({"REFEX_CRASH_AT": "batch.saved:1"})
    ran = run(tmp_path, REFEX_CRASH_AT="batch.saved:1")
    assert ran.returncode == 1 and "REFEX_DEVELOPMENT" in ran.stderr


@pytest.mark.parametrize(
    "text", ["batch.saved", "batch.saved:0", "batch.saved:x", "batch.saved:1:kill", "no.such:1"]
)
def test_a_point_nobody_knows_or_a_bad_count_is_an_error_that_says_what_is_right(text: str) -> None:
    with pytest.raises(SettingsError, match="REFEX_CRASH_AT"):
        crash_points.parse(text)


def test_several_points_and_stopping_instead_of_dying() -> None:
    found = crash_points.parse("batch.saved:2,\ninbox.read:1:stop\n")
    assert found["batch.saved"] == (2, signal.SIGKILL)
    assert found["inbox.read"] == (1, signal.SIGSTOP)
