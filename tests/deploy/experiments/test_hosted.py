"""Many guests in one process, against a target of another: every arrival is accounted for."""

from pathlib import Path

import pytest

from bus.shmem import PrivateMemory
from deploy.experiments.hosted import GUESTS_MAX, Host
from tests.bench.offering import offer, places


def test_every_arrival_ends_somehow() -> None:
    done = offer(rate=400, guests=4, seconds=0.25)
    assert done.offered * 0.25 == done.answered + done.failed + done.dropped
    assert done.failed == 0
    assert 50 < done.answered + done.dropped < 150, "a Poisson process of 100 on average"


def test_one_process_plays_so_many_and_no_more(tmp_path: Path) -> None:
    many = places(1, 1, 0, 1) * (GUESTS_MAX + 1)
    with pytest.raises(ValueError, match="use more processes"):
        Host(f"ipc://{tmp_path / 'x'}", many, PrivateMemory(), lambda *_: None)
