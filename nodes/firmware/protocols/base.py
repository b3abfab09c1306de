"""EL3's Base protocol: discovery, permissions, agent reset."""

from collections.abc import Callable, Mapping

from bus.fields import reserved_bits_set
from bus.scmi import base
from bus.scmi.protocol import fits
from bus.scmi.status import Status
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import Agent
from nodes.firmware.service import Answer, Handler, Served


class BaseService(Served):
    """Answers for the platform as a whole; ``drop_configuration`` is how a reset reaches the others."""

    table = base.PROTOCOL
    resources: Mapping[str, dict[int, object]] = {}
    own_ladder = frozenset(
        {
            "BASE_SET_DEVICE_PERMISSIONS",
            "BASE_SET_PROTOCOL_PERMISSIONS",
            "BASE_RESET_AGENT_CONFIGURATION",
        }
    )

    def __init__(
        self,
        machine: Machine,
        protocol_ids: tuple[int, ...],
        drop_configuration: Callable[[int, int, bool], None],
        permission_changed: Callable[[int, int, bool], None],
    ) -> None:
        self.platform = platform = machine.platform
        self.permissions = machine.permissions
        self.agents: dict[int, Agent] = {agent.id: agent for agent in platform.agent}
        self.protocol_ids = protocol_ids
        self._drop_configuration = drop_configuration
        self._permission_changed = permission_changed
        self._protocols_fit = fits(base.DiscoverListProtocolsReply, machine.payload_bytes)
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "BASE_DISCOVER_VENDOR": self.discover_vendor,
            "BASE_DISCOVER_SUB_VENDOR": self.discover_sub_vendor,
            "BASE_DISCOVER_IMPLEMENTATION_VERSION": self.discover_implementation_version,
            "BASE_DISCOVER_LIST_PROTOCOLS": self.discover_list_protocols,
            "BASE_DISCOVER_AGENT": self.discover_agent,
            "BASE_SET_DEVICE_PERMISSIONS": self.set_device_permissions,
            "BASE_SET_PROTOCOL_PERMISSIONS": self.set_protocol_permissions,
            "BASE_RESET_AGENT_CONFIGURATION": self.reset_agent_configuration,
        }

    def protocol_attributes(self, _agent: int, _request: object) -> Answer:
        return base.ProtocolAttributesReply(
            base.ATTRIBUTES.pack(num_agents=len(self.agents), num_protocols=len(self.protocol_ids))
        )

    def discover_vendor(self, _agent: int, _request: object) -> Answer:
        return base.DiscoverVendorReply(self.platform.vendor)

    def discover_sub_vendor(self, _agent: int, _request: object) -> Answer:
        return base.DiscoverSubVendorReply(self.platform.sub_vendor)

    def discover_implementation_version(self, _agent: int, _request: object) -> Answer:
        return base.DiscoverImplementationVersionReply(self.platform.implementation_version)

    def discover_list_protocols(self, _agent: int, request: base.DiscoverListProtocols) -> Answer:
        if request.skip > len(self.protocol_ids):
            return Status.INVALID_PARAMETERS
        page = self.protocol_ids[request.skip : request.skip + self._protocols_fit]
        return base.DiscoverListProtocolsReply(len(page), page)

    def discover_agent(self, agent: int, request: base.DiscoverAgent) -> Answer:
        if request.agent_id == base.SELF:
            return base.DiscoverAgentReply(agent, self.agents[agent].name)
        if request.agent_id == base.PLATFORM:
            return base.DiscoverAgentReply(base.PLATFORM, "platform")
        found = self.agents.get(request.agent_id)
        return base.DiscoverAgentReply(found.id, found.name) if found else Status.NOT_FOUND

    def set_device_permissions(self, caller: int, request: base.SetDevicePermissions) -> Answer:
        if not self.agents[caller].trusted:
            return Status.DENIED
        if request.agent_id not in self.agents:
            return Status.NOT_FOUND
        if reserved_bits_set(request):
            return Status.INVALID_PARAMETERS
        if request.device_id not in self.permissions.devices:
            return Status.NOT_FOUND
        allow = bool(base.PERMISSION_FLAGS.get(request.flags, "allow"))
        self.permissions.set_device(request.agent_id, request.device_id, allow)
        self._permission_changed(request.agent_id, request.device_id, allow)
        return Status.SUCCESS

    def set_protocol_permissions(self, caller: int, request: base.SetProtocolPermissions) -> Answer:
        if not self.agents[caller].trusted:
            return Status.DENIED
        if request.agent_id not in self.agents:
            return Status.NOT_FOUND
        if reserved_bits_set(request):
            return Status.INVALID_PARAMETERS
        protocol_id = base.COMMAND_ID.get(request.command_id, "protocol_id")
        if request.device_id not in self.permissions.devices or protocol_id not in self.protocol_ids:
            return Status.NOT_FOUND
        allow = bool(base.PERMISSION_FLAGS.get(request.flags, "allow"))
        self.permissions.set_protocol(request.agent_id, request.device_id, protocol_id, allow)
        self._permission_changed(request.agent_id, request.device_id, allow)
        return Status.SUCCESS

    def reset_agent_configuration(self, caller: int, request: base.ResetAgentConfiguration) -> Answer:
        if not self.agents[caller].trusted and request.agent_id != caller:
            return Status.DENIED
        if request.agent_id not in self.agents:
            return Status.NOT_FOUND
        if reserved_bits_set(request):
            return Status.INVALID_PARAMETERS
        also_permissions = bool(base.RESET_FLAGS.get(request.flags, "also_reset_permissions"))
        self._drop_configuration(caller, request.agent_id, also_permissions)
        return Status.SUCCESS

    def reset(self, agent_id: int) -> None:
        """Base holds no wish of an agent; permissions are dropped by their own step of the reset."""

    def ledger(self, agent_id: int) -> list[Entry]:
        return [
            Entry("grant", "base", f"device {device}", "") for device in self.permissions.granted(agent_id)
        ]
