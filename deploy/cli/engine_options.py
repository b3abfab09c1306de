"""--engine and what goes with it: who starts the processes of a platform's nodes."""

import ipaddress
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from deploy.engines.local import Options
from deploy.errors import UserError
from deploy.launching.keyring import Keys
from deploy.platform import Companion, Platform
from deploy.rundir import RunDirectory
from deploy.toolstack import Work
from deploy.topology import Topology

F = TypeVar("F", bound=Callable[..., Any])
ENGINES: Final = ("local", "ray", "kubernetes")


# what goes with each engine: options that it needs, and others that it takes
NEEDS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "local": ((), ("--keys",)),
    "ray": (("--address",), ("--place",)),
    "kubernetes": (("--listen", "--keys"), ()),
}


class Engine(msgspec.Struct, frozen=True):
    """``listen`` and ``keys`` are the registry's; ``metrics_port``: the supervisor's, 0 for any. ``address``
    and ``place`` are for Ray.
    """

    name: str = "local"
    listen: str = ""
    keys: Path | None = None
    metrics_port: int = 0
    address: str = ""
    place: tuple[str, ...] = ()

    def platform(
        self,
        topology: Topology,
        run: RunDirectory,
        options: Options,
        work: Work,
        *,
        flight: bool,
        companion: Companion | None,
    ) -> Platform:
        """A platform that is not started yet. Raises UserError."""
        options = msgspec.structs.replace(options, metrics_port=self.metrics_port)
        if self.name == "local":
            if self.keys is not None:
                options = msgspec.structs.replace(options, keys=_kept(self.keys, options))
            return Platform(topology, run, options, work, flight=flight, companion=companion)
        if self.name == "ray":
            from deploy.moving import MovingPlatform, on_ray  # noqa: PLC0415 - only this engine needs it

            return MovingPlatform(
                topology,
                run,
                on_ray(options, self.address, self.place),
                work,
                flight=flight,
                companion=companion,
            )
        from deploy.arrivals import ArrivingPlatform  # noqa: PLC0415 - only this engine needs them
        from deploy.keys import authority  # noqa: PLC0415
        from deploy.launching.arriving import ArrivingLauncher  # noqa: PLC0415

        address, port = _listening(self.listen)
        assert self.keys is not None
        keys = authority.opened(self.keys)
        tcp_port = options.tcp_port or 0
        options = msgspec.structs.replace(
            options, launcher=lambda: ArrivingLauncher(keys, address, port), tcp_port=tcp_port
        )
        return ArrivingPlatform(topology, run, options, work, flight=flight, companion=companion)


def _kept(folder: Path, options: Options) -> Keys:
    """A local platform uses of them what is Xen's."""
    from deploy.keys.authority import Authority  # noqa: PLC0415

    if options.tcp_port is None:
        raise UserError("--keys: nodes of this machine have keys on tcp only; give --tcp, or leave it out")
    return Authority(folder)


def _listening(text: str) -> tuple[str, int]:
    """ADDRESS:PORT of --listen."""
    address, _, port = text.rpartition(":")
    try:
        found = ipaddress.ip_address(address.strip("[]"))
        number = int(port)
    except ValueError:
        number = 0
    if not 0 < number < 65536:
        raise UserError(f"--listen {text}: give ADDRESS:PORT, such as 0.0.0.0:5555")
    return (f"[{found}]" if found.version == 6 else str(found)), number


ray_options: Final = (
    click.option(
        "--place",
        multiple=True,
        metavar="WHO=WHERE,...",
        help="For --engine ray: xen, firmware, guests or a domain, and a custom resource of machines, or "
        "together, apart, spread, any. Default: xen and firmware together, guests spread.",
    ),
    click.option(
        "--address",
        metavar="HOST:PORT",
        help="For --engine ray: the cluster's head. This machine runs Ray too.",
    ),
)


def engine_options(command: F) -> F:
    """All of them; the command gets ``engine``, an Engine."""

    @wraps(command)
    def with_engine(
        *arguments: Any,
        engine: str,
        listen: str | None,
        keys: Path | None,
        metrics_port: int | None,
        address: str | None,
        place: tuple[str, ...],
        **others: Any,
    ) -> Any:
        said = {"--listen": listen, "--keys": keys, "--address": address, "--place": place or None}
        needed, allowed = NEEDS[engine]
        for option, value in said.items():
            if value is None and option in needed:
                raise UserError(f"{option}: --engine {engine} needs it")
            if value is not None and option not in (*needed, *allowed):
                owners = [name for name in ENGINES if option in (*NEEDS[name][0], *NEEDS[name][1])]
                raise UserError(f"{option}: is for --engine {' and '.join(owners)}; leave it out")
        chosen = Engine(engine, listen or "", keys, metrics_port or 0, address or "", place)
        return command(*arguments, engine=chosen, **others)

    wrapped: Any = with_engine
    for option in (
        click.option(
            "--metrics-port",
            type=click.IntRange(1, 65535),
            help="The port of the supervisor's own metrics. Default: any.",
        ),
        click.option(
            "--keys",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="A cluster's keys, as 'trapline keys new' makes them. Default: fresh ones every time.",
        ),
        click.option(
            "--listen",
            metavar="ADDRESS:PORT",
            help="For --engine kubernetes: where nodes find the registry.",
        ),
        click.option(
            "--engine",
            type=click.Choice(ENGINES),
            default="local",
            show_default=True,
            help="Who starts the nodes: this command, Ray, or Kubernetes, and they come by themselves.",
        ),
        *ray_options,
    ):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]
