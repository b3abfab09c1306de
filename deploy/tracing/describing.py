"""What a platform is made of, kept beside its flight recorder's rows, so that they can be read and replayed.

The file is that of a recorded run (``experiments.history.recorded``). It is written when the platform has
started, and again, a moment later, when a domain starts with something else.
"""

import time
from typing import Final

import msgspec

from deploy.experiments.history import recorded
from deploy.files import replace
from deploy.platform import Platform
from nodes.guest.core import GuestConfig

PAUSE_S: Final = 0.5  # in which further domains may start before the file is written again
ENGINE: Final = "local"


class Describing:
    """``begin`` before the platform starts. Does nothing for a platform without a flight recorder."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._guests: dict[str, GuestConfig] = {}
        self._due = False

    def begin(self) -> None:
        self._platform.on_guest_start = self._started

    def _started(self, node: str, config: GuestConfig) -> None:
        before = len(self._guests)
        recorded.remember(self._guests, node, config)
        if len(self._guests) != before and not self._due:
            self._due = True
            self._platform.engine.agenda.add(time.monotonic() + PAUSE_S, self._write)

    def _write(self) -> None:
        self._due = False
        platform, flights = self._platform, self._platform.flights
        if flights is None or not flights.folder.exists():
            return
        description = recorded.describe(
            platform.topology,
            self._guests,
            run_id=platform.run_directory.path.name,
            seed=0,
            engine=ENGINE,
            carried=platform.engine.options.carried,
            origin_ns=flights.origin_ns,
            cluster=platform.engine.identities.cluster,
        )
        replace(flights.folder / recorded.FILE, msgspec.json.encode(description))
