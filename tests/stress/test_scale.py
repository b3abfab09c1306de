"""Platforms at their full size: all domains come up, each is answered, nothing is left.

How long that takes is a row of ``make bench``. On virtual time a tenth of it, unless TRAPLINE_FULL_SIZES is
set; ``python -m deploy.scale`` has all of it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.scale import measuring
from nodes.limits import DOMAINS
from tests.bench.scale import ALONE, SHARED
from tests.system.cluster import Cluster
from tests.system.processes import VARIABLE

pytestmark = [pytest.mark.stress, pytest.mark.timeout(400)]


@pytest.fixture
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever the test starts carries a mark; fails the test when anybody with it outlives the platforms."""
    marked = Cluster(tmp_path)
    monkeypatch.setenv(VARIABLE, marked.mark)
    yield
    marked.stop()


@pytest.mark.usefixtures("nothing_left")
def test_as_many_domains_as_a_platform_has_with_a_process_each() -> None:
    found = measuring.real(*ALONE)
    assert found.answered == found.domains == DOMAINS
    assert found.foot.processes == DOMAINS + 3


@pytest.mark.usefixtures("nothing_left")
def test_a_thousand_domains_that_share_processes() -> None:
    found = measuring.real(*SHARED)
    assert found.answered == found.domains == 1_000
    assert found.foot.processes == 4 * (3 + 4) + 1


def test_many_platforms_on_virtual_time() -> None:
    domains = 10_000 if os.environ.get("TRAPLINE_FULL_SIZES") else 1_000
    found = measuring.simulated(domains)
    assert found.answered == found.domains == domains
