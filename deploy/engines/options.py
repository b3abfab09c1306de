"""How an engine of real processes is to run a platform: where its nodes run, and over which links."""

from collections.abc import Callable

import msgspec

from deploy.errors import UserError
from deploy.launching.forked import ForkedLauncher
from deploy.launching.keyring import Keys
from deploy.launching.launcher import Launcher
from deploy.metrics.access import LOOPBACK
from deploy.specs import HERE, NodeOptions
from nodes.limits import GUESTS_PER_PROCESS_MAX


class Options(msgspec.Struct, frozen=True):
    """``tcp_port`` None: ipc. 0: a tcp port of the system's choice. ``carried``: pages travel in frames.

    ``node``: what every node's process is told beside its role. ``launcher`` makes what starts processes: on
    this machine unless said. ``tcp_address``: where Xen listens on tcp; "" is loopback, and where nodes may
    be on several machines the address of its own. ``metrics_port``: the supervisor's own, 0: any.
    ``keys``: where Xen's own key is kept; None: a fresh one. ``guests_per_process``: 0 gives each guest a
    process of its own.
    """

    tcp_port: int | None = None
    carried: bool = True
    node: NodeOptions = NodeOptions()
    launcher: Callable[[], Launcher] = ForkedLauncher
    tcp_address: str = ""
    metrics_port: int = 0
    keys: Keys | None = None
    guests_per_process: int = 0

    def launching(self) -> Launcher:
        """What starts processes."""
        if not self.guests_per_process:
            return self.launcher()
        from deploy.launching.hosting import HostingLauncher  # noqa: PLC0415 - few need it

        return HostingLauncher(self.guests_per_process, self.node)

    def check(self, remote: bool) -> None:
        """Raises UserError for what a launcher cannot do whose nodes may be ``remote``."""
        if not 0 <= self.guests_per_process <= GUESTS_PER_PROCESS_MAX:
            raise UserError(
                f"{self.guests_per_process} guests per process: give 1 to {GUESTS_PER_PROCESS_MAX}, "
                "or 0 for a process each"
            )
        if remote and (self.tcp_port is None or not self.carried):
            raise UserError("nodes on several machines need tcp and carried pages; give --tcp, not --mapped")

    def address(self, remote: bool) -> str:
        """Where Xen listens on tcp."""
        return self.tcp_address or (HERE if remote else LOOPBACK)
