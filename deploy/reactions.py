"""What follows when a guest ends: an xl.cfg's ``on_crash``, ``on_poweroff`` and ``on_reboot``, carried out.

On either engine: it asks the toolstack, and knows neither processes nor time.
"""

from collections.abc import Callable

from bus.frames import Lifecycle
from deploy.toolstack import DOM0, Toolstack, ToolstackError

Notice = Callable[[str, str, str], None]  # (domain, event, detail)


class Reactions:
    """``note`` hears what failed; ``over`` that the platform ends, and whether it failed.

    ``restart``: a guest that crashed is created again, whatever its ``on_crash`` says.
    """

    def __init__(
        self, toolstack: Toolstack, note: Notice, over: Callable[[str, bool], None], restart: bool = False
    ) -> None:
        self._toolstack = toolstack
        self._note = note
        self._over = over
        self._restart = restart

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
        guest = self._toolstack.guests.get(frame.name)
        reboot = frame.detail == "reboot"
        action = "restart" if reboot else "destroy"
        if guest is not None:
            action = guest.on_reboot if reboot else guest.on_poweroff
        self._apply(frame.name, action, frame.detail)

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
                self._toolstack.create(guest)
        except ToolstackError as error:
            self._note(name, "failed", str(error))
