"""EL3's Base protocol: discovery, permissions, agent reset, errors that no response could carry.

An agent with NOTIFY_ERRORS on hears of what happened on its own channel, a trusted agent of what happened on
any.
"""

from collections.abc import Callable, Mapping, Sequence

from bus.fields import reserved_bits_set
from bus.scmi import BY_ID, base
from bus.scmi.protocol import fits
from bus.scmi.status import Status
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import Agent
from nodes.firmware.service import Answer, Handler, Served, Service
from nodes.firmware.subscriptions import Subscriptions

SELF_SINCE = 0x2_0000
EVERYTHING = 0  # what a subscription to errors is about
AboutAgent = base.SetDevicePermissions | base.SetProtocolPermissions | base.ResetAgentConfiguration


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
        others: Sequence[Service],
        drop_configuration: Callable[[int, int, bool], None],
        permission_changed: Callable[[int, int, bool], None],
    ) -> None:
        self.platform = platform = machine.platform
        self.machine = machine
        self.profile = machine.profile
        self.permissions = machine.permissions
        self.agents: dict[int, Agent] = {agent.id: agent for agent in platform.agent}
        self.protocol_ids = tuple(service.table.id for service in others)
        self.errors = Subscriptions(machine, base.PROTOCOL, base.BASE_ERROR_EVENT, "")
        self._drop_configuration = drop_configuration
        self._permission_changed = permission_changed
        self._protocols_fit = fits(base.DiscoverListProtocolsReply, machine.payload_bytes)
        self._agents_told = 0 if "base.BASE_DISCOVER_AGENT" in self.profile.missing else len(self.agents)
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "BASE_DISCOVER_VENDOR": self.discover_vendor,
            "BASE_DISCOVER_SUB_VENDOR": self.discover_sub_vendor,
            "BASE_DISCOVER_IMPLEMENTATION_VERSION": self.discover_implementation_version,
            "BASE_DISCOVER_LIST_PROTOCOLS": self.discover_list_protocols,
            "BASE_DISCOVER_AGENT": self.discover_agent,
            "BASE_NOTIFY_ERRORS": self.notify_errors,
            "BASE_SET_DEVICE_PERMISSIONS": self.set_device_permissions,
            "BASE_SET_PROTOCOL_PERMISSIONS": self.set_protocol_permissions,
        }
        if self.profile.reset != "none":
            self.handlers["BASE_RESET_AGENT_CONFIGURATION"] = self.reset_agent_configuration

    # ---- discovery ----------------------------------------------------------------------------

    def protocols(self, agent: int) -> tuple[int, ...]:
        """The protocols beside Base that the agent is told of, ascending."""
        denied = self.permissions.denied[agent]
        if not denied or self.profile.lists_denied_protocols:
            return self.protocol_ids
        return tuple(one for one in self.protocol_ids if one not in denied)

    def protocol_attributes(self, agent: int, _request: object) -> Answer:
        bits = base.ATTRIBUTES.pack(num_agents=self._agents_told, num_protocols=len(self.protocols(agent)))
        return base.ProtocolAttributesReply(bits)

    def discover_vendor(self, _agent: int, _request: object) -> Answer:
        return base.DiscoverVendorReply(self.platform.vendor)

    def discover_sub_vendor(self, _agent: int, _request: object) -> Answer:
        return base.DiscoverSubVendorReply(self.platform.sub_vendor)

    def discover_implementation_version(self, _agent: int, _request: object) -> Answer:
        return base.DiscoverImplementationVersionReply(self.platform.implementation_version)

    def discover_list_protocols(self, agent: int, request: base.DiscoverListProtocols) -> Answer:
        protocols = self.protocols(agent)
        refused = Status.SUCCESS
        if request.skip > len(protocols):
            refused = self.profile.skip_beyond
        elif request.skip == len(protocols):
            refused = self.profile.skip_at_end
        if refused is not Status.SUCCESS:
            return refused
        page = protocols[request.skip : request.skip + self._protocols_fit]
        return base.DiscoverListProtocolsReply(len(page), page)

    def discover_agent(self, agent: int, request: base.DiscoverAgent) -> Answer:
        if request.agent_id == base.SELF and self.machine.version >= SELF_SINCE:
            return base.DiscoverAgentReply(agent, self.agents[agent].name)
        if request.agent_id == base.PLATFORM:
            return base.DiscoverAgentReply(base.PLATFORM, "platform")
        found = self.agents.get(request.agent_id)
        return base.DiscoverAgentReply(found.id, found.name) if found else Status.NOT_FOUND

    # ---- errors -------------------------------------------------------------------------------

    def notify_errors(self, agent: int, request: base.NotifyErrors) -> Answer:
        return self.errors.set(agent, EVERYTHING, base.NOTIFY.get(request.notify_enable, "enable"))

    def transport_error(self, agent: int, head: int, status: Status) -> None:
        """Tell of a message on the agent's channel without an answer; ``head`` is its header word."""
        word = status & 0xFFFF_FFFF
        pair = head | word << 32 if self.profile.error_pair == "header_low" else word | head << 32
        event = base.ErrorEvent(agent, base.ERROR_STATUS.pack(command_count=1), (pair,))
        trusted = self.permissions.trusted
        self.errors.tell(EVERYTHING, lambda one: event if one == agent or one in trusted else None)

    # ---- permissions and reset ----------------------------------------------------------------

    def _may_grant(self, caller: int) -> bool:
        return caller in self.permissions.trusted or self.profile.anyone_grants

    def _refused(self, may: bool, request: AboutAgent) -> Status | None:
        """The rungs that stand before the command's own, where a command is about an agent."""
        if not may:
            return Status.DENIED
        if request.agent_id not in self.agents:
            return Status.NOT_FOUND
        return Status.INVALID_PARAMETERS if reserved_bits_set(request) else None

    def set_device_permissions(self, caller: int, request: base.SetDevicePermissions) -> Answer:
        refused = self._refused(self._may_grant(caller), request)
        if refused is not None:
            return refused
        if request.device_id not in self.permissions.devices:
            return Status.NOT_FOUND
        allow = bool(base.PERMISSION_FLAGS.get(request.flags, "allow"))
        self.permissions.set_device(request.agent_id, request.device_id, allow)
        self._permission_changed(request.agent_id, request.device_id, allow)
        return Status.SUCCESS

    def set_protocol_permissions(self, caller: int, request: base.SetProtocolPermissions) -> Answer:
        refused = self._refused(self._may_grant(caller), request)
        if refused is not None:
            return refused
        protocol_id = base.COMMAND_ID.get(request.command_id, "protocol_id")
        if request.device_id not in self.permissions.devices or protocol_id not in self.protocol_ids:
            return Status.NOT_FOUND
        allow = bool(base.PERMISSION_FLAGS.get(request.flags, "allow"))
        self.permissions.set_protocol(request.agent_id, request.device_id, protocol_id, allow)
        self._permission_changed(request.agent_id, request.device_id, allow)
        return Status.SUCCESS

    def reset_agent_configuration(self, caller: int, request: base.ResetAgentConfiguration) -> Answer:
        refused = self._refused(request.agent_id == caller or self._may_grant(caller), request)
        if refused is not None:
            return refused
        if self.profile.reset_needs_devices and not self.permissions.devices:
            return Status.NOT_FOUND
        also_permissions = bool(base.RESET_FLAGS.get(request.flags, "also_reset_permissions"))
        self._drop_configuration(caller, request.agent_id, also_permissions)
        return Status.SUCCESS

    def reset(self, agent_id: int) -> None:
        """Permissions and subscriptions are dropped by steps of their own."""

    def ledger(self, agent_id: int) -> list[Entry]:
        devices = [
            Entry("grant", "base", f"device {device}", "") for device in self.permissions.granted(agent_id)
        ]
        single = [
            Entry("grant", BY_ID[self.permissions.protocol_of[kind]].key, f"{kind} {number}", "permission")
            for kind, number in self.permissions.granted_singly(agent_id)
        ]
        return [*devices, *single, *self.errors.ledger(agent_id)]
