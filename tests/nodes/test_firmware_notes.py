"""What EL3 tells for the record: nothing unless it was asked to."""

import pytest

from bus.scmi import base, clock
from nodes.contract import Note
from tests.nodes.el3 import MANAGER, TWO, Bench


@pytest.mark.parametrize("record", [False, True])
def test_a_reset_is_told_with_its_ledger(record: bool) -> None:
    bench = Bench(record=record)
    bench.call(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", base.SetDevicePermissions(TWO, 5, 1))
    bench.call(TWO, "clock", "CLOCK_RATE_SET", clock.RateSet(0, 5, 2000))
    held = len(bench.core.ledger(TWO))
    assert held > 0
    bench.raised.clear()
    bench.call(MANAGER, "base", "BASE_RESET_AGENT_CONFIGURATION", base.ResetAgentConfiguration(TWO, 1))
    after = len(bench.core.ledger(TWO))
    expected = [Note("reset", 3, (TWO, held, after, 0))] if record else []
    assert bench.raised == expected
