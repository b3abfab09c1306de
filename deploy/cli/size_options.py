"""--domains and --guests-per-process: platforms that are made of a number, and how they are packed."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import click
import msgspec

from deploy import generated
from deploy.engines.options import Options
from deploy.errors import UserError
from deploy.topology import Topology, XenOptions
from nodes.limits import DOMAINS, GUESTS_PER_PROCESS_MAX

F = TypeVar("F", bound=Callable[..., Any])
DOMAINS_MIN: Final = 2


class Size(msgspec.Struct, frozen=True):
    """``domains`` 0: what files describe. ``guests_per_process`` 0: a process for each."""

    domains: int = 0
    guests_per_process: int = 0

    def topology(self, xen: XenOptions, files: bool) -> Topology | None:
        """The platform of so many domains; None where files describe it. Raises UserError."""
        if not self.domains:
            return None
        if files:
            raise UserError("--domains: makes a platform without files; leave out one or the others")
        if not DOMAINS_MIN <= self.domains <= DOMAINS:
            raise UserError(
                f"--domains {self.domains}: a platform has {DOMAINS_MIN} to {DOMAINS} with Dom0, for the id "
                "of an agent has 8 bits; start several with --name"
            )
        return generated.topology(self.domains - 1, xen=xen)

    def options(self, options: Options, engine: str) -> Options:
        """The same with guests packed so. Raises UserError."""
        if self.guests_per_process and engine != "local":
            raise UserError(f"--guests-per-process: --engine {engine} has a process for each; leave it out")
        return msgspec.structs.replace(options, guests_per_process=self.guests_per_process)


def size_options(command: F) -> F:
    """Both; the command gets ``size``, a Size."""

    @wraps(command)
    def with_size(*arguments: Any, domains: int | None, guests_per_process: int | None, **others: Any) -> Any:
        return command(*arguments, size=Size(domains or 0, guests_per_process or 0), **others)

    wrapped: Any = with_size
    for option in (
        click.option(
            "--guests-per-process",
            type=click.IntRange(1, GUESTS_PER_PROCESS_MAX),
            metavar="N",
            help="Let N guests share a process; the end of one ends its guests. Default: a process each.",
        ),
        click.option(
            "--domains",
            type=click.IntRange(1),
            metavar="N",
            help=f"A generated platform of N domains, Dom0 among them, instead of files: {DOMAINS_MIN} to "
            f"{DOMAINS}.",
        ),
    ):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]
