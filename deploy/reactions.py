"""What follows when a guest ends: an xl.cfg's ``on_crash``, ``on_poweroff`` and ``on_reboot``, carried out.

On either engine: it asks the toolstack, and knows neither processes nor time.
"""

from collections.abc import Callable

from bus.frames import Lifecycle
from deploy.toolstack import DOM0, Toolstack, ToolstackError
from deploy.topology import Guest

Notice = Callable[[str, str, str], None]  # (domain, event, detail)


class Reactions:
    """``note`` hears what failed; ``over`` that the platform ends, and whether it failed.

    ``restart``: a guest that crashed is created again, whatever its ``on_crash`` says. ``recreate``: how,
    where that is not the toolstack's.
    """

    def __init__(
        self,
        toolstack: Toolstack,
        note: Notice,
        over: Callable[[str, bool], None],
        restart: bool = False,
        recreate: Callable[[Guest], object] | None = None,
    ) -> None:
        self._toolstack = toolstack
        self._note = note
        self._over = over
        self._restart = restart
        self._recreate = recreate or toolstack.create

    def exited(self, name: str) -> None:
        """What plays the domain has ended by itself, or was killed: the domain crashed."""
        guest = self._toolstack.guests.get(name)
        action = guest.on_crash if guest else "destroy"
        self._apply(name, "restart" if self._restart else action, "crash")

    def shut_down(self, frame: Lifecycle) -> None:
        """The domain said that it is done: SYSTEM_OFF, or SYSTEM_RESET."""
        if frame.domid == 0:
            self._note(DOM0, "platform", f"Dom0 {frame.detail}: the platform goes down")
            self._over(f"Dom0 {frame.detail}", False)
            return
        self._apply(frame.name, self.after(frame), frame.detail)

    def after(self, frame: Lifecycle) -> str:
        """What its configuration says of that end."""
        guest = self._toolstack.guests.get(frame.name)
        reboot = frame.detail == "reboot"
        if guest is None:
            return "restart" if reboot else "destroy"
        return guest.on_reboot if reboot else guest.on_poweroff

    def _apply(self, name: str, action: str, reason: str) -> None:
        """destroy, restart (from an xl.cfg) or preserve; a failure is an event, never the platform's end."""
        if action == "preserve":
            return
        if name == DOM0:
            self._note(name, "platform", "Dom0 is gone: the platform goes down")
            self._over("Dom0 is gone", True)
            return
        guest = self._toolstack.guests.get(name)
        try:
            self._toolstack.destroy(name, reason)
            if "restart" in action and guest is not None:
                self._recreate(guest)
        except ToolstackError as error:
            self._note(name, "failed", str(error))
