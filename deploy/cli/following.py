"""What commands that go on until Ctrl-C share: that is how one ends them, so they end well (exit code 0)."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
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
