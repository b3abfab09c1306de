"""Rights beyond devices: what single agents may do with single resources and commands, and what they see."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from bus.scmi import BY_KEY
from nodes.firmware.platform.described import Described, Id, Name, PlatformError, says, unknown
from nodes.firmware.platform.kinds import KINDS_OF, PROTOCOL_OF

CommandName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_-]+\.[A-Z0-9_]+$")]
ALWAYS = (0x0, 0x1, 0x2, 0x10)  # version, attributes, message attributes, negotiation


class Right(Described, frozen=True):
    """A right of one agent, beside what its devices give; the permission commands do not change it."""

    agent: Annotated[Id, says("whose right it is")]
    allow: Annotated[bool, says("true allows, false denies")]
    commands: Annotated[
        tuple[CommandName, ...], says('"clock.CLOCK_RATE_SET"; none: all that name such a resource')
    ] = ()
    kind: Annotated[str, says("of resources: clock, power_domain, pin_group...")] = ""
    ids: Annotated[tuple[Id, ...], says("which of them; none: all")] = ()


class View(Described, frozen=True):
    """One agent's own numbering of the resources of a kind. What is not in it does not exist for the agent; a
    view grants nothing.
    """

    agent: Annotated[Id, says("whose view it is")]
    kind: Annotated[str, says("of resources: clock, power_domain, pin_group...")]
    ids: Annotated[tuple[Id, ...], says("the agent's 0 is the first of these, and so on")]


class VendorProtocol(Described, frozen=True):
    """Settings of a plug-in's protocol."""

    name: Annotated[Name, says("the protocol's key")]
    settings: Annotated[Mapping[str, Any], says("handed to the plug-in as they are")] = {}


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with rights, views and whole protocols."""
    agents = {agent.id for agent in platform.agent}
    known = {kind: {row.id for row in getattr(platform, kind)} for kind in PROTOCOL_OF}
    vendor = bool(platform.vendor_protocol)
    for at, agent in enumerate(platform.agent):
        yield from _protocol_problems(f"agent[{at}].protocols", agent.protocols or (), vendor)
    opposite: dict[object, int] = {}
    for at, right in enumerate(platform.right):
        yield from unknown(f"right[{at}].agent", [right.agent], "agent", agents)
        yield from _kind_problems(f"right[{at}]", right.kind, right.ids, known, vendor)
        yield from _right_problems(f"right[{at}]", right, vendor)
        same = (right.agent, right.kind, right.ids, right.commands)
        if same in opposite:
            yield f"right[{at}]: right[{opposite[same]}] is about the same; remove one of them"
        opposite[same] = at
    yield from _view_problems(platform, agents, known, vendor)
    names = [one.name for one in platform.vendor_protocol]
    for at, name in enumerate(names):
        if name in names[:at]:
            yield f"vendor_protocol[{at}].name: {name!r} is there already; remove one of them"


def _protocol_problems(place: str, keys: tuple[str, ...], vendor: bool) -> Iterator[str]:
    for key in keys:
        if key not in BY_KEY and not vendor:
            yield f"{place}: there is no protocol {key!r}; choose from {', '.join(BY_KEY)}"


def _kind_problems(
    place: str, kind: str, ids: tuple[int, ...], known: Mapping[str, set[int]], vendor: bool
) -> Iterator[str]:
    if kind in known:
        yield from unknown(f"{place}.ids", ids, kind, known[kind])
    elif kind and not vendor:
        yield f"{place}.kind: there is no kind {kind!r}; choose from {', '.join(PROTOCOL_OF)}"
    elif ids and not kind:
        yield f'{place}.ids: nobody can tell of which kind; add kind, for example kind = "clock"'


def _right_problems(place: str, right: Right, vendor: bool) -> Iterator[str]:
    if not right.kind and not right.commands:
        yield f"{place}: it is about nothing; name commands, or a kind and ids"
    for name in right.commands:
        key, _, message = name.partition(".")
        if key == "base" and right.allow:
            yield f"{place}.commands: {name} is everybody's but for what `trusted` opens; leave it out"
        elif key not in BY_KEY:
            if not vendor:
                yield f"{place}.commands: there is no protocol {key!r}; choose from {', '.join(BY_KEY)}"
        else:
            yield from _command_problems(place, right, key, message)


def _command_problems(place: str, right: Right, key: str, message: str) -> Iterator[str]:
    command = next((one for one in BY_KEY[key].every_command() if one.name == message), None)
    if command is None:
        yield f"{place}.commands: {key} has no command {message}; write it as the protocol's page does"
    elif command.id in ALWAYS:
        yield f"{place}.commands: {message} always works; leave it out, or take the protocol away"
    elif right.kind and right.kind not in kinds_named(f"{key}.{message}"):
        yield f"{place}.commands: {message} names no {right.kind}; correct the kind or the command"
    elif right.allow and not kinds_named(f"{key}.{message}"):
        yield f"{place}.commands: {message} names no resource, so there is nothing to allow; leave it out"


def kinds_named(name: str) -> tuple[str, ...]:
    """The kinds of resources that a command can name; none when it names no resource."""
    key, _, message = name.partition(".")
    if key not in BY_KEY:
        return ()
    command = BY_KEY[key].command(message)
    if command is not None and command.resource is not None:
        return (command.resource.of,)
    own = KINDS_OF.get(BY_KEY[key].id, ())
    fields = command.request.__struct_fields__ if command is not None else ()
    # Where a selector says which kind; what is about another agent names nothing of the caller's own.
    return own if "identifier" in fields and "agent_id" not in fields else ()


def _view_problems(
    platform: Any, agents: set[int], known: Mapping[str, set[int]], vendor: bool
) -> Iterator[str]:
    seen: dict[tuple[int, str], int] = {}
    for at, view in enumerate(platform.view):
        yield from unknown(f"view[{at}].agent", [view.agent], "agent", agents)
        yield from _kind_problems(f"view[{at}]", view.kind, view.ids, known, vendor)
        if len(set(view.ids)) != len(view.ids):
            yield f"view[{at}].ids: a number is there twice; give each resource one place"
        if (view.agent, view.kind) in seen:
            yield (
                f"view[{at}]: agent {view.agent} has its {view.kind}s from "
                f"view[{seen[view.agent, view.kind]}]; put them into one"
            )
        seen[view.agent, view.kind] = at


def check_plugins(platform: Any, services: Iterable[Any]) -> None:
    """Raise PlatformError for what the platform says of plug-ins' protocols that none of ``services`` has."""
    if platform.vendor_protocol:
        for problem in _plugin_problems(platform, tuple(services)):
            raise PlatformError(problem)


def _plugin_problems(platform: Any, services: tuple[Any, ...]) -> Iterator[str]:
    tables = {**BY_KEY, **{service.table.key: service.table for service in services}}
    for at, agent in enumerate(platform.agent):
        for key in agent.protocols or ():
            if key not in tables:
                yield f"agent[{at}].protocols: there is no protocol {key!r}; choose from {', '.join(tables)}"
    for at, right in enumerate(platform.right):
        for name in right.commands:
            key, _, message = name.partition(".")
            if key not in tables or message not in {one.name for one in tables[key].every_command()}:
                yield f"right[{at}].commands: there is no command {name}; correct it"
    known = {kind: {row.id for row in getattr(platform, kind)} for kind in PROTOCOL_OF}
    known |= {kind: set(ids) for service in services for kind, ids in service.resources.items()}
    for place, kind, ids in _named(platform):
        if kind not in known:
            yield f"{place}: no protocol has the kind {kind!r}; choose from {', '.join(known)}"
        for one in ids:
            if one not in known.get(kind, (one,)):
                yield f"{place}: there is no {kind} {one}; correct the number"


def _named(platform: Any) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Every place that names resources by kind."""
    for at, device in enumerate(platform.device):
        for kind, ids in device.vendor_resources.items():
            yield f"device[{at}].vendor_resources", kind, ids
    for table in ("right", "view"):
        for at, row in enumerate(getattr(platform, table)):
            if row.kind:
                yield f"{table}[{at}]", row.kind, row.ids
