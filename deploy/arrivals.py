"""A platform whose nodes come and go by themselves: which domain should be there, and when it begins.

A domain begins when its process is there, and is a crashed domain when that has ended: Xen resets its agent.
Whatever its ``on_crash`` says (but for "preserve"), it begins again when a process of it comes back, as the
next incarnation. An operator's destroy and a guest's own poweroff hold until it is created again.

It knows that processes come, not who starts them.
"""

import time
from typing import Any, Final

from bus.frames import Lifecycle
from deploy import control
from deploy.launching.arriving import ArrivingLauncher
from deploy.platform import Platform
from deploy.toolstack import ToolstackError
from deploy.topology import Guest

RETRY_S: Final = 5.0  # after a domain could not be created


class ArrivingPlatform(Platform):
    """``start`` waits for Xen, EL3, Dom0 and the boot domains, not for guests. The launcher of ``options`` is
    an ``ArrivingLauncher``.
    """

    def _prepare(self) -> None:
        launcher = self.engine.launcher
        assert isinstance(launcher, ArrivingLauncher)
        self._launcher = launcher
        self._wanted = dict.fromkeys(guest.name for guest in self.topology.guests)
        self._not_before: dict[str, float] = {}

    def start(self, guests: bool = True) -> None:
        super().start(guests=False)
        self._launcher.patient = False
        if not guests:
            self._wanted.clear()

    def pump(self, timeout_s: float) -> None:
        super().pump(timeout_s)
        if self.failure is None and not self.stopping:
            self._receive()

    def _receive(self) -> None:
        """Create the domains whose processes have come."""
        for name in [one for one in self._wanted if self._launcher.waits("guest", one)]:
            if self._not_before.get(name, 0.0) > time.monotonic():
                continue
            try:
                if all(info.name != name for info in self.toolstack.list()):
                    self.toolstack.create(self.toolstack.guests[name])
            except ToolstackError as error:
                self._not_before[name] = time.monotonic() + RETRY_S
                self._note(name, "failed", str(error))

    def _recreate(self, guest: Guest) -> None:
        """It is not created before its process is back."""

    def _on_lifecycle(self, frame: Lifecycle) -> None:
        super()._on_lifecycle(frame)
        if frame.event == "shutdown" and "restart" not in self._reactions.after(frame):
            self._wanted.pop(frame.name, None)

    # ---- the operator's requests --------------------------------------------------------------

    def _create(self, request: control.Create) -> Any:
        found = super()._create(request)
        self._wanted[found["name"]] = None
        return found

    def _destroy(self, request: control.Destroy) -> None:
        self._known(request.name)
        name = self.toolstack.find(request.name).name
        super()._destroy(request)
        self._wanted.pop(name, None)

    def _reboot(self, request: control.Reboot) -> Any:
        self._known(request.name)
        name = self.toolstack.find(request.name).name
        if name in self.toolstack.guests:
            self._wanted[name] = None
        return super()._reboot(request)
