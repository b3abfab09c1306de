"""Who may touch what. The first of these that says something about a message decides:

1. the protocol: an agent may use those in its ``protocols`` (absent: all), but none that
BASE_SET_PROTOCOL_PERMISSIONS took away so that nothing of it is left to the agent; 2. ``[[right]]`` rows, the
most specific first (``rights.py``); 3. single resources, given or taken by PINCTRL_SET_PERMISSIONS; 4.
devices: a resource may be used through any device that was granted to the agent, unless the protocol was
taken away from it on that device; 5. a resource that no device lists may be read by everybody and changed by
a trusted agent.

What was not granted is refused; ``default_permission = "allow"`` (or a profile) turns 4 and 5 round.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

from bus.scmi import base
from nodes.firmware.grounds import DEVICES_TOLD, Change, DeviceRow, Grounds
from nodes.firmware.platform import Agent, Device, Platform
from nodes.firmware.platform.kinds import DEVICE_KEYS, PROTOCOL_OF
from nodes.firmware.profile import DEFAULT, FirmwareProfile
from nodes.firmware.rights import EVERY_COMMAND, Command, Resource, Rights
from nodes.firmware.usable import Usable


def resources_of(device: Device) -> list[Resource]:
    """The (kind, id) pairs that a device groups."""
    own = [(kind, one) for key, kind in DEVICE_KEYS.items() for one in getattr(device, key)]
    return own + [(kind, one) for kind, ids in device.vendor_resources.items() for one in ids]


class Held:
    """What one agent was granted: devices, protocols denied on them, single resources; counts of usable
    resources by kind.
    """

    __slots__ = ("devices", "protocols_denied", "single", "usable")

    def __init__(self, devices: Collection[int]) -> None:
        self.devices = set(devices)
        self.protocols_denied: set[tuple[int, int]] = set()
        self.single: dict[Resource, bool] = {}
        self.usable: Counter[str] = Counter()


class Permissions:
    """``allowed[agent_id]`` is the set of resources that devices give it; the rest here keeps that true.

    ``moment`` tells EL3's time, the agent and the request that what is done now stems from.

    ``denied[agent_id]`` are the protocols that it may not use. ``on_change`` is called with an agent's id
    when what it may see has changed.
    """

    def __init__(self, platform: Platform, profile: FirmwareProfile = DEFAULT) -> None:
        self.devices = {device.id: device for device in platform.device}
        self.moment: Callable[[], tuple[int, int, int]] = lambda: (0, 0, 0)
        self._changes: dict[tuple[int, object], Change] = {}
        self.on_change: list[Callable[[int], None]] = []
        self.trusted = {agent.id for agent in platform.agent if agent.trusted}
        self.protocol_of: dict[str, int] = dict(PROTOCOL_OF)
        self._through: dict[Resource, list[int]] = {}
        for device in platform.device:
            for resource in resources_of(device):
                self._through.setdefault(resource, []).append(device.id)
        self._open = platform.default_permission == "allow" or profile.open_permissions
        self._readable = profile.denied_resource == "restricted"
        self._protocols = {
            agent.id: agent.protocols for agent in platform.agent if agent.protocols is not None
        }
        self._rights = dict(_rights(platform))
        self._public: set[int] = {base.PROTOCOL.id}
        self._shut: dict[int, frozenset[int]] = dict.fromkeys((one.id for one in platform.agent), frozenset())
        self._held: dict[int, Held] = {}
        self.allowed: dict[int, Usable] = {}
        self.denied: dict[int, frozenset[int]] = dict(self._shut)
        for agent in platform.agent:
            self._boot(agent)

    def _boot(self, agent: Agent) -> None:
        self.allowed[agent.id] = Usable()
        self._held[agent.id] = Held(())
        for device_id in sorted(self.granted_at_boot(agent.id)):
            self._held[agent.id].devices.add(device_id)
            self._refresh(agent.id, resources_of(self.devices[device_id]))

    def declare(self, protocol_id: int, key: str, resources: Mapping[str, Collection[int]]) -> None:
        """Tell what a protocol serves, before the first message."""
        for kind, ids in resources.items():
            self.protocol_of[kind] = protocol_id
            if any((kind, one) not in self._through for one in ids):
                self._public.add(protocol_id)
        for agent_id, keys in self._protocols.items():
            if key not in keys and key != "base":
                self._shut[agent_id] |= {protocol_id}
                self.denied[agent_id] |= {protocol_id}

    def granted_at_boot(self, agent_id: int) -> Collection[int]:
        """The device ids that an agent has from the beginning."""
        return self.devices if self._open or agent_id in self.trusted else ()

    def restore(self, agent_id: int) -> None:
        """Back to the boot-time default. It costs what differs from that."""
        held, singles = self._held[agent_id], list(self._held[agent_id].single)
        boot = set(self.granted_at_boot(agent_id))
        changed = {device for device, _ in held.protocols_denied} | (held.devices ^ boot)
        held.single = {}
        held.devices = boot
        held.protocols_denied = set()
        told = self._change("reset of its configuration", False)
        for device_id in changed:
            self._changes[agent_id, device_id] = told
        self._changes.update(dict.fromkeys(((agent_id, one) for one in singles), told))
        for device_id in sorted(changed):
            self._refresh(agent_id, resources_of(self.devices[device_id]))
        self._refresh(agent_id, singles)
        self._changed(agent_id)

    def set_device(self, agent_id: int, device_id: int, allow: bool) -> None:
        """BASE_SET_DEVICE_PERMISSIONS."""
        devices = self._held[agent_id].devices
        if allow:
            devices.add(device_id)
        else:
            devices.discard(device_id)
        self._changes[agent_id, device_id] = self._change("BASE_SET_DEVICE_PERMISSIONS", allow)
        self._refresh(agent_id, resources_of(self.devices[device_id]))
        self._changed(agent_id)

    def set_protocol(self, agent_id: int, device_id: int, protocol_id: int, allow: bool) -> None:
        """BASE_SET_PROTOCOL_PERMISSIONS."""
        denied = self._held[agent_id].protocols_denied
        if allow:
            denied.discard((device_id, protocol_id))
        else:
            denied.add((device_id, protocol_id))
        self._changes[agent_id, device_id] = self._change("BASE_SET_PROTOCOL_PERMISSIONS", allow)
        self._refresh(agent_id, resources_of(self.devices[device_id]))
        self._changed(agent_id)

    def set_resource(self, agent_id: int, resource: Resource, allow: bool) -> None:
        """PINCTRL_SET_PERMISSIONS: one resource, whatever the devices say."""
        self._held[agent_id].single[resource] = allow
        self._changes[agent_id, resource] = self._change("PINCTRL_SET_PERMISSIONS", allow)
        self._refresh(agent_id, [resource])
        self._changed(agent_id)

    def _refresh(self, agent_id: int, resources: list[Resource]) -> None:
        allowed, usable = self.allowed[agent_id], self._held[agent_id].usable
        for resource in resources:
            if self._usable(agent_id, resource) is (resource in allowed):
                continue
            if resource in allowed:
                allowed.discard(resource)
                usable[resource[0]] -= 1
            else:
                allowed.add(resource)
                usable[resource[0]] += 1

    def _usable(self, agent_id: int, resource: Resource) -> bool:
        held = self._held[agent_id]
        if resource in held.single:
            return held.single[resource]
        protocol = self.protocol_of.get(resource[0], 0)
        return any(
            device in held.devices and (device, protocol) not in held.protocols_denied
            for device in self._through.get(resource, ())
        )

    def _changed(self, agent_id: int) -> None:
        """A protocol that was taken away on a device is denied as a whole when nothing of it is left.

        Of one without resources, such as System power, there never is.
        """
        held, rights = self._held[agent_id], self._rights.get(agent_id)
        gone = set()
        for _, protocol in held.protocols_denied:
            kinds = [kind for kind, its in self.protocol_of.items() if its == protocol]
            kept = any(held.usable[kind] or (rights and rights.opens_kind(kind)) for kind in kinds)
            if not kept and protocol not in self._public:
                gone.add(protocol)
        self.denied[agent_id] = self._shut[agent_id] | gone
        for tell in self.on_change:
            tell(agent_id)

    def may(self, agent_id: int, resource: Resource, changes: bool, command: Command = EVERY_COMMAND) -> bool:
        """Whether the agent may read (or, if ``changes``, alter) the resource, by one command if named."""
        rights = self._rights.get(agent_id)
        if rights is None and not self._shut[agent_id]:
            if resource in self.allowed[agent_id]:
                return True
        else:
            if self.protocol_of[resource[0]] in self._shut[agent_id]:
                return False
            decided = rights.decide(resource, command) if rights else None
            if decided is not None or resource in self.allowed[agent_id]:
                return decided is not False
        if resource in self._through or resource in self._held[agent_id].single:
            return self._readable and not changes
        return not changes or self._open or agent_id in self.trusted

    def _change(self, what: str, allow: bool) -> Change:
        return Change(*self.moment(), what, allow)

    def grounds(
        self, agent_id: int, protocol_id: int, resource: Resource | None, command: Command, rung: int
    ) -> Grounds:
        """What decided that the agent may not: the layer, its rows, and who changed them last."""
        name = f"{resource[0]} {resource[1]}" if resource else ""
        held, rights = self._held[agent_id], self._rights.get(agent_id)
        taken = sorted(device for device, one in held.protocols_denied if one == protocol_id)
        through = self._through.get(resource, []) if resource else taken
        if protocol_id in self._shut[agent_id]:
            return Grounds(rung, name, "protocol")
        if resource is not None and rights and rights.decide(resource, command) is False:
            return Grounds(rung, name, "right")
        if resource is None and rights and rights.decide(None, command) is False:
            return Grounds(rung, name, "right")
        if resource is not None and resource in held.single:
            return Grounds(rung, name, "single", changed=self._changes.get((agent_id, resource)))
        if not through:
            return Grounds(rung, name, "no device")
        rows = tuple(
            DeviceRow(
                device,
                self.devices[device].name,
                device in held.devices,
                (device, protocol_id) in held.protocols_denied,
                self._changes.get((agent_id, device)),
            )
            for device in through[:DEVICES_TOLD]
        )
        return Grounds(rung, name, "device", rows)

    def may_send(self, agent_id: int, command: Command) -> bool:
        """Whether the agent may send a command that names no resource."""
        rights = self._rights.get(agent_id)
        return rights is None or rights.decide(None, command) is not False

    def sees(self, agent_id: int, resource: Resource) -> bool:
        """Whether the agent may do anything at all with the resource."""
        if self.may(agent_id, resource, changes=False):
            return True
        rights = self._rights.get(agent_id)
        return (
            rights is not None
            and self.protocol_of[resource[0]] not in self._shut[agent_id]
            and rights.opens(resource)
        )

    def special(self, agent_id: int) -> bool:
        """Whether there are rows of ``[[right]]`` for the agent."""
        return agent_id in self._rights

    def sharers(self, resource: Resource) -> int:
        """How many non-trusted agents may use the resource now."""
        return sum(
            resource in allowed if self._rights.get(agent_id) is None else self.may(agent_id, resource, True)
            for agent_id, allowed in self.allowed.items()
            if agent_id not in self.trusted
        )

    def granted(self, agent_id: int) -> list[int]:
        """The device ids granted to an agent, ascending."""
        return sorted(self._held[agent_id].devices)

    def granted_singly(self, agent_id: int) -> list[Resource]:
        """The single resources given to an agent."""
        return sorted(one for one, allow in self._held[agent_id].single.items() if allow)


def _rights(platform: Platform) -> Iterator[tuple[int, Rights]]:
    for agent_id in sorted({row.agent for row in platform.right}):
        yield agent_id, Rights(row for row in platform.right if row.agent == agent_id)
