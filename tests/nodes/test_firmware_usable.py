"""What an agent may use, near and far, and ids with and without gaps: asked by the ladder's short way."""

import pytest

from bus.scmi import clock
from bus.scmi.status import Status
from nodes.firmware import dense
from nodes.firmware.platform import Clock, Device
from nodes.firmware.usable import NEAR, Usable
from tests.nodes.el3 import MANAGER, TWO, Bench
from tests.nodes.unasked import platform


@pytest.mark.parametrize("number", [0, 1, 7, 8, NEAR - 1, NEAR, NEAR + 1, 2**32 - 1])
def test_a_set_of_resources(number: int) -> None:
    usable = Usable()
    usable.discard(("clock", number))
    assert ("clock", number) not in usable
    usable.add(("clock", number))
    usable.add(("clock", number))
    assert ("clock", number) in usable
    assert ("pin", number) not in usable
    for other in {max(number - 1, 0), number + 1} - {number}:
        assert ("clock", other) not in usable
    usable.discard(("clock", number))
    assert ("clock", number) not in usable


@pytest.mark.parametrize("ids", [(0, 1, 2), (5, 6, 7), (5, 7, 8), (3, NEAR, 2**32 - 1), (2**32 - 1,)])
def test_ids_with_and_without_gaps(ids: tuple[int, ...]) -> None:
    """The first and the last one are of a device that agent 2 has not; what is between is."""
    granted = ids[1:-1]
    bench = Bench(
        platform(
            default_permission="deny",
            clock=tuple(Clock(one, f"c{one}", (1,), 1) for one in ids),
            device=(Device(1, "mine", clocks=granted), Device(2, "others", clocks=(ids[0], ids[-1]))),
        )
    )
    bench.core.permissions.set_device(TWO, 1, True)
    around = {max(0, one + step) for one in ids for step in (-1, 0, 1)} - {2**32}
    for one in sorted(around):
        wanted = Status.NOT_FOUND if one not in ids else Status.SUCCESS if one in granted else Status.DENIED
        assert bench.status(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(one)) is wanted, one
        trusted = Status.SUCCESS if one in ids else Status.NOT_FOUND
        assert bench.status(MANAGER, "clock", "CLOCK_RATE_GET", clock.RateGet(one)) is trusted
    bench.core.permissions.set_device(TWO, 1, False)
    for one in granted:
        assert bench.status(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(one)) is Status.DENIED


@pytest.mark.parametrize("known", [(), (0,), (0, 1, 2), (2, 0, 1), (5, 6), (0, 2), (1, 4, 5), (2**32 - 1,)])
def test_tables_by_id(known: tuple[int, ...]) -> None:
    by_id = {one: f"row {one}" for one in known}
    there, table = dense.ids(by_id), dense.rows(by_id)
    around = {one + step for one in (*known, 0) for step in (0, 1, 2)}
    assert {one for one in around if one in there} == set(known)
    assert [table[one] for one in known] == [f"row {one}" for one in known]
