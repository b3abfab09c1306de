"""Vendor protocols that other packages bring: found by entry point, judged before anybody uses them.

The contract is told in PLUGINS.md. This module knows packages and tables; what a service does in EL3 is
``nodes.firmware``'s business.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

from bus.scmi.protocol import Protocol
from bus.scmi.tables import STANDARD, Tables
from deploy.errors import UserError
from nodes.firmware.machine import Machine
from nodes.firmware.platform import Platform
from nodes.firmware.service import Service

GROUP = "trapline.protocols"


Factory = Callable[[Machine], Service]


class Plugin(NamedTuple):
    """A vendor protocol: its table, and what makes its service: ``service(machine, settings)``.

    ``origin`` names the distribution and the entry point it came from.
    """

    protocol: Protocol
    service: Callable[..., Any]
    origin: str


class Plugins(NamedTuple):
    """All of them in the order of their names; ``tables`` are theirs and the specification's."""

    found: tuple[Plugin, ...]
    tables: Tables


def load(points: Iterable[EntryPoint] | None = None) -> Plugins:
    """The plug-ins that are installed; raises UserError for the first that cannot be used."""
    every = entry_points(group=GROUP) if points is None else points
    found: list[Plugin] = []
    tables = STANDARD
    for point in sorted(every, key=lambda one: (one.name, one.value)):
        plugin = _plugin(point)
        try:
            tables = tables.with_more((plugin.protocol,))
        except ValueError as error:
            raise _refused(point, str(error)) from None
        found.append(plugin)
    return Plugins(tuple(found), tables)


def _plugin(point: EntryPoint) -> Plugin:
    try:
        made = point.load()
    except (Exception, SystemExit) as error:
        why = f"importing {point.value} ended with {type(error).__name__}: {error}; mend it, or uninstall it"
        raise _refused(point, why) from error
    protocol, service = getattr(made, "protocol", None), getattr(made, "service", None)
    if not isinstance(protocol, Protocol):
        raise _refused(point, f"{point.value}.protocol is no bus.scmi.protocol.Protocol; give it the table")
    if not callable(service):
        why = f"{point.value}.service is not callable; give it what makes the service in EL3"
        raise _refused(point, why)
    return Plugin(protocol, service, _origin(point))


def services(platform: Platform, points: Iterable[EntryPoint] | None = None) -> tuple[Factory, ...]:
    """What makes the services of the protocols that a platform names; UserError for one that is not there.

    Nothing is looked for when the platform names none.
    """
    if not platform.vendor_protocol:
        return ()
    found = {one.protocol.key: one for one in load(points).found}
    made = []
    for at, wanted in enumerate(platform.vendor_protocol):
        plugin = found.get(wanted.name)
        if plugin is None:
            there = f"choose from {', '.join(sorted(found))}" if found else "leave the table out"
            raise UserError(
                f"vendor_protocol[{at}].name: no plug-in has protocol {wanted.name!r}; install it or {there}"
            )
        made.append(partial(_service, plugin, wanted.settings))
    return tuple(made)


def _service(plugin: Plugin, settings: Mapping[str, Any], machine: Machine) -> Service:
    """A plug-in's service; what goes wrong in it is told in its name."""
    try:
        service: Service = plugin.service(machine, settings)
    except Exception as error:
        why = f"its service ended with {type(error).__name__}: {error}; mend it, or its settings"
        raise UserError(f"plug-in {plugin.origin}: {why}") from error
    if service.table is not plugin.protocol:
        raise UserError(f"plug-in {plugin.origin}: its service is of another protocol; give it its own table")
    return service


def _origin(point: EntryPoint) -> str:
    owner = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"
    return f"{owner}, entry point {point.name}"


def _refused(point: EntryPoint, why: str) -> UserError:
    return UserError(f"plug-in {_origin(point)}: {why}")
