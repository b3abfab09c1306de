"""Pages of metrics from nodes that serve none: fetched over their link to the registry when somebody asks.

A node of another machine opens no port; its page is found at the supervisor's. Nobody else is held up by one
that does not answer. It knows neither HTTP nor what is on a page.
"""

import queue
from collections.abc import Callable
from itertools import count
from typing import Final

from deploy.launching import messages as m
from deploy.launching.identity import Identity
from deploy.metrics.listening import Unavailable

PATIENCE_S: Final = 0.8  # less than Prometheus has
PAGE_BYTES_MAX: Final = 1 << 20

Ask = Callable[[Identity, m.Order], object]


class Relay:
    """``ask`` gives an order to a node, from any thread; ``heard`` takes what nodes say, in any other."""

    def __init__(self, ask: Ask, patience_s: float = PATIENCE_S) -> None:
        self._ask = ask
        self._patience_s = patience_s
        self._numbers = count(1)
        self._open: dict[int, tuple[Identity, queue.SimpleQueue[bytes]]] = {}

    def heard(self, identity: Identity, page: m.Page) -> None:
        """An answer; one that nobody waits for (any more), or of somebody else, is nobody's."""
        asked, answer = self._open.get(page.number, (None, None))
        if asked == identity and answer is not None:
            answer.put(page.text)

    def fetch(self, identity: Identity, is_open: bool) -> bytes:
        """The page of a node, as OpenMetrics if it ``is_open``. Raises Unavailable."""
        number = next(self._numbers)
        answer: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._open[number] = identity, answer
        try:
            self._ask(identity, m.Order("page", [number, is_open]))
            found = answer.get(timeout=self._patience_s)
        except queue.Empty:
            raise Unavailable(f"{identity.name} did not answer") from None
        finally:
            del self._open[number]
        if len(found) > PAGE_BYTES_MAX:
            raise Unavailable(f"the page of {identity.name} has {len(found)} bytes")
        return found


class RelayedPage:
    """What a node says at the supervisor's metrics port (``deploy.metrics.listening.Said``)."""

    def __init__(self, relay: Relay, identity: Identity) -> None:
        self._relay = relay
        self._identity = identity

    def text(self) -> bytes:
        return self._relay.fetch(self._identity, False)

    def open_text(self) -> bytes:
        return self._relay.fetch(self._identity, True)
