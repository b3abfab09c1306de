"""EL3's reset domains: pulses and held lines."""

from bus.scmi import reset
from bus.scmi.status import Status
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import ResetDomain
from nodes.firmware.service import Answer, Handler, Served
from nodes.firmware.votes import Votes


class ResetService(Served):
    """``asserted`` remembers who holds a line; ``pulses`` counts autonomous resets per domain.

    A domain that another agent may use as well is not reset for one of them: GENERIC_ERROR.
    """

    table = reset.PROTOCOL

    def __init__(self, machine: Machine) -> None:
        self.domains: dict[int, ResetDomain] = {domain.id: domain for domain in machine.platform.reset_domain}
        self.resources = {"reset_domain": self.domains}
        self.permissions = machine.permissions
        self.asserted = Votes()
        self.pulses = dict.fromkeys(self.domains, 0)
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "RESET_DOMAIN_ATTRIBUTES": self.attributes,
            "RESET": self.reset_domain,
            "RESET_NOTIFY": lambda _agent, _request: Status.NOT_SUPPORTED,
            "RESET_DOMAIN_NAME_GET": self.name_get,
        }

    def protocol_attributes(self, _agent: int, _request: object) -> Answer:
        return reset.ProtocolAttributesReply(reset.ATTRIBUTES.pack(num_domains=len(self.domains)))

    def attributes(self, _agent: int, request: reset.DomainAttributes) -> Answer:
        domain = self.domains[request.domain_id]
        latency = reset.LATENCY_UNKNOWN if domain.latency_us is None else domain.latency_us
        bits = reset.DOMAIN.pack(extended_name=len(domain.name) > 15)
        return reset.DomainAttributesReply(bits, latency, domain.name)

    def reset_domain(self, agent: int, request: reset.Reset) -> Answer:
        flags = reset.FLAGS.unpack(request.flags)
        if flags["async_reset"]:
            return Status.NOT_SUPPORTED if flags["autonomous"] else Status.INVALID_PARAMETERS
        if flags["autonomous"] and request.reset_state != reset.COLD_RESET:
            return Status.INVALID_PARAMETERS
        if self.permissions.sharers(("reset_domain", request.domain_id)) > 1:
            return Status.GENERIC_ERROR
        if flags["autonomous"]:
            self.pulses[request.domain_id] += 1
        elif flags["explicit_assert"]:
            self.asserted.cast(agent, request.domain_id, 1)
        else:
            self.asserted.drop(agent, request.domain_id)
        return Status.SUCCESS

    def name_get(self, _agent: int, request: reset.DomainNameGet) -> Answer:
        return reset.DomainNameGetReply(0, self.domains[request.domain_id].name)

    def reset(self, agent_id: int) -> None:
        self.asserted.withdraw(agent_id)

    def ledger(self, agent_id: int) -> list[Entry]:
        held = self.asserted.held_by(agent_id)
        return [Entry("hold", "reset", f"reset_domain {one}", "asserted", held[one]) for one in sorted(held)]
