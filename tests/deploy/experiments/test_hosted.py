"""Many guests in one process, against a target of another: every arrival is accounted for."""

from pathlib import Path

import pytest

from bus.links.zeromq import DealerLink, RouterLink
from bus.shmem import PrivateMemory
from deploy.experiments.stages.hosted import GUESTS_MAX, Host
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


@pytest.mark.parametrize("timeout_ns", [1, 100_000, 9_999_999, 10_000_000])
def test_a_short_wait_ends_empty_and_misses_no_message(tmp_path: Path, timeout_ns: int) -> None:
    endpoint = f"ipc://{tmp_path / 'x'}"
    router = RouterLink([endpoint], lambda _: None)
    dealer = DealerLink(endpoint, b"x" * 32)
    try:
        dealer.set_timeout_ns(timeout_ns)
        assert dealer.receive() is None
        assert dealer.send(b"", b"hello", b"")
        router.set_timeout_ns(None)
        assert router.receive() is not None
        for at in range(3):
            assert router.send(b"x" * 32, b"%d" % at, b"page")
        found: list[bytes] = []
        while len(found) < 3:
            delivery = dealer.receive()
            found += [delivery[1]] if delivery else []
        assert found == [b"0", b"1", b"2"]
        assert dealer.receive() is None
    finally:
        dealer.close()
        router.close()
