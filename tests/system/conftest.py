"""Fixtures of the tests with real processes. Whatever a test starts must be gone when it ends."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.cluster import Cluster
from tests.system.local import Local
from tests.system.processes import VARIABLE


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: socket paths are limited to 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="tl-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster that is not started yet; ends it and fails the test if anything of it is left."""
    made = Cluster(folder)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def local(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    """Platforms whose supervisor is the test itself; ends them and fails the test if anything is left."""
    made = Local(folder)
    monkeypatch.setenv(VARIABLE, made.cluster.mark)
    try:
        yield made
    finally:
        made.stop()
