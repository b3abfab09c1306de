"""Fixtures of the bus tests: a bench of ZeroMQ links, and a pair of them on either transport."""

import gc
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .zeromq_bench import Bench, Pair


@pytest.fixture
def bench() -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tl-"))
    made = Bench(folder)
    yield made
    made.close()
    shutil.rmtree(folder)
    gc.collect()  # a socket that was left open is this test's failure, not the next one's


@pytest.fixture(params=["ipc", "tcp"])
def pair(bench: Bench, request: pytest.FixtureRequest) -> Pair:
    return Pair(bench, request.param)
