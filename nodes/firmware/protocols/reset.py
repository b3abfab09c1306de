"""EL3's reset domains: pulses and held lines.

Votes: a line is asserted while anyone asserts it; if all who wish something want it released it is released;
without a wish it is as at boot. A domain that another agent may use as well is not reset for one of them
(GENERIC_ERROR), unless it is declared otherwise; an exclusive one belongs to the first who asserts it, until
it is released or that agent is reset, others are DENIED. An asynchronous reset is issued when its latency is
over.
"""

from bus.scmi import reset
from bus.scmi.status import Status
from nodes.firmware.hardware import Board
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import ResetDomain
from nodes.firmware.service import Answer, Handler, Served
from nodes.firmware.subscriptions import Subscriptions
from nodes.firmware.votes import Votes

NAMES_SINCE = 0x3_0000
ASSERT, RELEASE = 1, 0
KIND = "reset_domain"


class ResetService(Served):
    """``lines`` remembers who wishes what of a line that is held explicitly."""

    table = reset.PROTOCOL

    def __init__(self, machine: Machine, board: Board) -> None:
        self.machine = machine
        self.board = board.resets
        self.domains: dict[int, ResetDomain] = self.board.domains
        self.resources = {KIND: self.domains}
        self.permissions = machine.permissions
        self.lines = Votes()
        self.issued = Subscriptions(machine, reset.PROTOCOL, reset.RESET_ISSUED, KIND)
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "RESET_DOMAIN_ATTRIBUTES": self.attributes,
            "RESET": self.reset_domain,
            "RESET_NOTIFY": self.notify,
            "RESET_DOMAIN_NAME_GET": self.name_get,
        }

    def protocol_attributes(self, _agent: int, _request: object) -> Answer:
        return reset.ProtocolAttributesReply(reset.ATTRIBUTES.pack(num_domains=len(self.domains)))

    def attributes(self, agent: int, request: reset.DomainAttributes) -> Answer:
        domain = self.domains[request.domain_id]
        latency = reset.LATENCY_UNKNOWN if domain.latency_us is None else domain.latency_us
        reached = self.machine.outbox.reaches(agent)
        bits = reset.DOMAIN.pack(
            async_reset=domain.async_reset and reached,
            reset_notify=domain.reset_notify and reached,
            extended_name=len(domain.name) > 15 and self.machine.version >= NAMES_SINCE,
        )
        return reset.DomainAttributesReply(bits, latency, domain.name)

    def name_get(self, _agent: int, request: reset.DomainNameGet) -> Answer:
        return reset.DomainNameGetReply(0, self.domains[request.domain_id].name)

    # ---- resetting ----------------------------------------------------------------------------

    def reset_domain(self, agent: int, request: reset.Reset) -> Answer:
        domain = self.domains[request.domain_id]
        flags = reset.FLAGS.unpack(request.flags)
        if flags["async_reset"] and not flags["autonomous"]:
            return Status.INVALID_PARAMETERS
        if flags["autonomous"] and not _has_state(domain, request.reset_state):
            return Status.INVALID_PARAMETERS
        offered = domain.autonomous if flags["autonomous"] else domain.explicit
        if not offered or (flags["async_reset"] and not domain.async_reset):
            return Status.NOT_SUPPORTED
        refused = self._shared(agent, domain)
        if refused is not None:
            return refused
        if self.machine.delayed.under_way((KIND, domain.id)):
            return Status.BUSY
        if flags["async_reset"]:
            return self._later(agent, domain, request.reset_state)
        if flags["autonomous"]:
            return _status(self._pulse(agent, domain.id, request.reset_state))
        return self._hold(agent, domain.id, flags["explicit_assert"])

    def _shared(self, agent: int, domain: ResetDomain) -> Status | None:
        """What somebody else's interest in the domain makes of the request."""
        if domain.sharing == "exclusive":
            held = [one for one, wish in self.lines.of(domain.id).items() if wish == ASSERT]
            return Status.DENIED if held and agent not in held else None
        if domain.sharing == "refused" and self.permissions.sharers((KIND, domain.id)) > 1:
            return Status.GENERIC_ERROR
        return None

    def _pulse(self, agent: int, domain_id: int, state: int) -> bool:
        if not self.board.pulse(domain_id):
            return False
        self._tell(agent, domain_id, state)
        return True

    def _later(self, agent: int, domain: ResetDomain, state: int) -> Status:
        def finish() -> reset.ResetComplete | Status:
            if not self._pulse(agent, domain.id, state):
                return Status.HARDWARE_ERROR
            return reset.ResetComplete(domain.id)

        return self.machine.delayed.start(agent, (KIND, domain.id), domain.latency_us or 0, finish)

    def _hold(self, agent: int, domain_id: int, wish: int) -> Status:
        if domain_id in self.board.failed:
            return Status.HARDWARE_ERROR
        if wish == RELEASE and not self.domains[domain_id].asserted:
            self.lines.drop(agent, domain_id)
        else:
            self.lines.cast(agent, domain_id, wish)
        was = domain_id in self.board.asserted
        self._follow(domain_id)
        if wish == ASSERT and not was:
            self._tell(agent, domain_id, reset.COLD_RESET)
        return Status.SUCCESS

    def _follow(self, domain_id: int) -> None:
        """The line is what the wishes come to."""
        wishes = self.lines.of(domain_id)
        self.board.hold(domain_id, any(wishes.values()) if wishes else self.domains[domain_id].asserted)

    # ---- notifications ------------------------------------------------------------------------

    def notify(self, agent: int, request: reset.ResetNotify) -> Answer:
        if not self.domains[request.domain_id].reset_notify:
            return Status.NOT_SUPPORTED
        return self.issued.set(agent, request.domain_id, reset.NOTIFY.get(request.notify_enable, "enable"))

    def _tell(self, agent: int, domain_id: int, state: int) -> None:
        but = -1 if self.machine.profile.reset_told_to_requester else agent
        self.issued.tell(domain_id, reset.ResetIssued(agent, domain_id, state), but=but)

    # ---- the life of an agent -----------------------------------------------------------------

    def reset(self, agent_id: int) -> None:
        for domain_id in self.lines.withdraw(agent_id):
            self._follow(domain_id)

    def ledger(self, agent_id: int) -> list[Entry]:
        held = self.lines.held_by(agent_id)
        lines = [Entry("hold", "reset", f"{KIND} {one}", "asserted", held[one]) for one in sorted(held)]
        return [*lines, *self.issued.ledger(agent_id)]


def _status(done: bool) -> Status:
    return Status.SUCCESS if done else Status.HARDWARE_ERROR


def _has_state(domain: ResetDomain, state: int) -> bool:
    bits = reset.STATE.unpack(state)
    if bits["implementation_defined"]:
        return bits["reset_id"] in domain.states
    return state == reset.COLD_RESET
