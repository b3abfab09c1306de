"""Who may touch what: device grants per agent, and what follows for each resource.

A *device* is a group of resources. An agent may use a resource through any device that it was
granted, unless that protocol was taken away from it on that device. Default deny: what was not granted
is refused, and a resource that no device lists may be read by everybody and changed by nobody but a
trusted agent. ``default_permission = "allow"`` turns both round.
"""

from nodes.firmware.platform import Device, Platform
from nodes.firmware.platform.kinds import DEVICE_KEYS, PROTOCOL_OF

Resource = tuple[str, int]


def resources_of(device: Device) -> list[Resource]:
    """The (kind, id) pairs that a device groups."""
    return [(kind, one) for key, kind in DEVICE_KEYS.items() for one in getattr(device, key)]


class Permissions:
    """``allowed[agent_id]`` is the set of resources it may use; everything else here keeps that true."""

    def __init__(self, platform: Platform) -> None:
        self.devices = {device.id: device for device in platform.device}
        self._through: dict[Resource, list[int]] = {}
        for device in platform.device:
            for resource in resources_of(device):
                self._through.setdefault(resource, []).append(device.id)
        self._open = platform.default_permission == "allow"
        self._default = set(self.devices) if self._open else set()
        self._trusted = {agent.id for agent in platform.agent if agent.trusted}
        self._granted: dict[int, set[int]] = {}
        self._protocols_denied: dict[int, set[tuple[int, int]]] = {}
        self.allowed: dict[int, set[Resource]] = {}
        for agent in platform.agent:
            self.restore(agent.id)

    def restore(self, agent_id: int) -> None:
        """Back to the boot-time default."""
        self._granted[agent_id] = set(self.devices if agent_id in self._trusted else self._default)
        self._protocols_denied[agent_id] = set()
        self.allowed[agent_id] = set()
        for device_id in sorted(self._granted[agent_id]):
            self._refresh(agent_id, device_id)

    def set_device(self, agent_id: int, device_id: int, allow: bool) -> None:
        """BASE_SET_DEVICE_PERMISSIONS."""
        if allow:
            self._granted[agent_id].add(device_id)
        else:
            self._granted[agent_id].discard(device_id)
        self._refresh(agent_id, device_id)

    def set_protocol(self, agent_id: int, device_id: int, protocol_id: int, allow: bool) -> None:
        """BASE_SET_PROTOCOL_PERMISSIONS."""
        denied = self._protocols_denied[agent_id]
        if allow:
            denied.discard((device_id, protocol_id))
        else:
            denied.add((device_id, protocol_id))
        self._refresh(agent_id, device_id)

    def _refresh(self, agent_id: int, device_id: int) -> None:
        for resource in resources_of(self.devices[device_id]):
            if self._usable(agent_id, resource):
                self.allowed[agent_id].add(resource)
            else:
                self.allowed[agent_id].discard(resource)

    def _usable(self, agent_id: int, resource: Resource) -> bool:
        protocol = PROTOCOL_OF[resource[0]]
        granted, denied = self._granted[agent_id], self._protocols_denied[agent_id]
        return any(
            device in granted and (device, protocol) not in denied for device in self._through[resource]
        )

    def may(self, agent_id: int, resource: Resource, changes: bool) -> bool:
        """Whether the agent may read (or, if ``changes``, alter) the resource."""
        if resource in self.allowed[agent_id]:
            return True
        if resource in self._through:
            return False
        return not changes or self._open or agent_id in self._trusted

    def sharers(self, resource: Resource) -> int:
        """How many non-trusted agents may use the resource now."""
        return sum(
            resource in allowed for agent_id, allowed in self.allowed.items() if agent_id not in self._trusted
        )

    def granted(self, agent_id: int) -> list[int]:
        """The device ids granted to an agent, ascending."""
        return sorted(self._granted[agent_id])
