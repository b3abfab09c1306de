"""What a supervisor counts of its nodes and of what is done to them, and its own metrics port.

It knows no process: the engine tells it what happens.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from deploy.launching.identity import Identity
from deploy.metrics.access import Access
from deploy.metrics.exporter import announce, serve
from deploy.metrics.listening import Said
from nodes.meters import Meters

SUPERVISOR: Final = "supervisor"
SIGNALS: Final = ("kill", "stop", "cont")
HIT: Final = ("guest", "xen", "firmware")


class Supervision:
    """``port`` is 0 until ``serve``. Nodes are told of by name."""

    def __init__(self, access: Access) -> None:
        self.meters = Meters(SUPERVISOR)
        self.port = 0
        self._access = access
        self._stop: Callable[[], None] = lambda: None
        self._pages: dict[str, Said] = {}
        self._withdraw: dict[str, Callable[[], None]] = {}
        self._up = self.meters.counter("trapline_node_up")
        self._heard = self.meters.counter("trapline_node_last_heartbeat_timestamp_seconds")
        self._heartbeats = self.meters.counter("trapline_node_heartbeats_total")
        self._exits = self.meters.counter("trapline_node_exits_total")
        self._faults = self.meters.counter("trapline_faults_injected_total")
        for kind in SIGNALS:
            for target in HIT:
                self._faults.expect((kind, target))

    def serve(self, targets: Path, labels: Mapping[str, str]) -> None:
        """Listen, and be found in ``targets`` with those labels. Raises OSError if it cannot."""
        self.port, self._stop = serve(self.meters, access=self._access, others=self._pages)
        announce(targets, SUPERVISOR, SUPERVISOR, self._access.target(self.port), labels)

    def stop(self) -> None:
        """Listen no more. Safe to call twice."""
        self._stop()
        self._stop = lambda: None

    def started(
        self, identity: Identity, target: str, page: Said | None, targets: Path, labels: Mapping[str, str]
    ) -> str:
        """A node is up, and serves its numbers at ``target``; or its ``page`` is served here. Gives where
        that is, "" for nowhere.
        """
        name = identity.name
        if page is not None and self.port:
            self._pages[f"/metrics/{name}"] = page
            target = f"{self._access.target(self.port)}/metrics/{name}"
        self._up.put((name,), 1)
        self._exits.expect((name,))
        self._withdraw[name] = announce(targets, name, identity.role, target, labels)
        return target

    def ended(self, name: str) -> None:
        self._up.put((name,), 0)
        self._withdraw.pop(name, _nothing)()
        self._pages.pop(f"/metrics/{name}", None)

    def lost(self, name: str) -> None:
        """It ended without being asked to."""
        self._exits[(name,)] += 1

    def heard(self, name: str) -> None:
        """It answered."""
        self._heard.put((name,), int(time.time()))
        self._heartbeats[(name,)] += 1

    def broken(self, kind: str, target: str) -> None:
        """A fault on purpose: one of FAULT's kinds, one of TARGET's."""
        self._faults[(kind, target)] += 1


def _nothing() -> None:
    """Nobody was told of it."""
