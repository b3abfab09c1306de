"""A platform on machines that may be lost: a guest that crashed with its machine begins again on another one.

Whether it does is what its ``on_crash`` says, as ever. Here it is tried again while no machine has room for
it, after waits that double up to a bound, and not for ever. Xen and EL3 are not moved: without them there is
no platform, and it says so. It knows that nodes are elsewhere, not where.
"""

import time
from typing import Final

import msgspec

from deploy import control
from deploy.engines.local import Options
from deploy.launching.ray import RayLauncher
from deploy.launching.ray_placing import read
from deploy.platform import Platform
from deploy.toolstack import ToolstackError
from deploy.topology import Guest

WAITS_S: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0)  # before each try
QUIET_S: Final = 60.0  # a domain that lived so long begins with the first wait again


def on_ray(options: Options, address: str, place: tuple[str, ...] = ()) -> Options:
    """The same on a Ray cluster. Raises UserError."""
    placing = read(place)
    tcp_port = options.tcp_port or 0
    return msgspec.structs.replace(options, launcher=lambda: RayLauncher(address, placing), tcp_port=tcp_port)


class MovingPlatform(Platform):
    """``WAITS_S`` and then it gives up on a domain; an operator may still create it."""

    def _prepare(self) -> None:
        self._due: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._tried: dict[str, float] = {}

    def _recreate(self, guest: Guest) -> None:
        """Have it created after the next wait."""
        now = time.monotonic()
        if now - self._tried.get(guest.name, now) > QUIET_S:
            self._tries.pop(guest.name, None)
        tries = self._tries.get(guest.name, 0)
        if tries == len(WAITS_S):
            self._note(guest.name, "failed", f"given up after {tries} tries; 'trapline xl create' begins it")
            return
        self._tries[guest.name] = tries + 1
        self._due[guest.name] = now + WAITS_S[tries]

    def pump(self, timeout_s: float) -> None:
        super().pump(timeout_s)
        now = time.monotonic()
        for name in [name for name, due in self._due.items() if due <= now]:
            if self.failure is None and not self.stopping:
                self._again(self.toolstack.guests[name])

    def _again(self, guest: Guest) -> None:
        del self._due[guest.name]
        self._tried[guest.name] = time.monotonic()
        try:
            if all(info.name != guest.name for info in self.toolstack.list()):
                self.toolstack.create(guest)
        except ToolstackError as error:
            self._note(guest.name, "failed", str(error))
            self._recreate(guest)
        self._tried[guest.name] = time.monotonic()

    def _destroy(self, request: control.Destroy) -> None:
        """An operator's destroy holds."""
        self._due.pop(request.name, None)
        super()._destroy(request)
