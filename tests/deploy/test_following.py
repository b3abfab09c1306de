"""Commands that go on until Ctrl-C: they end well, and hand back the handlers."""

import os
import signal

import pytest

from deploy.cli.following import ENDING, until_ctrl_c


@pytest.mark.parametrize("number", ENDING)
def test_each_signal_leaves_the_block_and_what_is_to_be_tidied_up_is(number: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in ENDING]
    done = []
    with until_ctrl_c():
        try:
            os.kill(os.getpid(), number)
            signal.pause()  # the handler runs before, and never gives this its turn
        finally:
            done.append("tidied up")
    assert done == ["tidied up"]
    assert [signal.getsignal(one) for one in ENDING] == before


def test_what_fails_inside_is_told_and_handlers_come_back() -> None:
    before = [signal.getsignal(one) for one in ENDING]
    with pytest.raises(OSError, match="full"), until_ctrl_c():
        raise OSError("full")
    assert [signal.getsignal(one) for one in ENDING] == before
