"""Directories for the tests that start the embedded services themselves."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.settings import load


@pytest.fixture(scope="module")
def cache_dir() -> Path:
    """The user's own: the jars are fetched once, not for every run."""
    return load(os.environ).cache_path


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not pytest's: that one is closed to other users, which is a case of its own."""
    with tempfile.TemporaryDirectory(prefix="refex-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"
