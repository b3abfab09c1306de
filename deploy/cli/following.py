"""How commands end at a signal: those that go on until Ctrl-C end well (exit code 0), runs in order (130)."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def until_ctrl_c() -> Iterator[None]:
    """Leave the block at Ctrl-C, SIGTERM or SIGHUP, wherever it is: what it has to tidy up, it does."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in ENDING}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Within the body Ctrl-C, SIGTERM and SIGHUP end a run in order; only the first of them counts."""

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
