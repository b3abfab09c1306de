"""EL3's voltage domains: on while anyone wants it on, the highest level asked for wins.

Of several wishes for on, the newest one says in which mode. An exclusive domain belongs to the first agent
that changes it, until that agent turns it off or is reset. Level and configuration are independent: what is
set while a domain is off is supplied once it is on, unless the firmware refuses it. There are no
notifications. CONFIG_GET and LEVEL_GET tell what is physically so, or, where the platform's ``agent_view``
says so, an agent's own wish if it has one.
"""

from bus.scmi import voltage
from bus.scmi.protocol import fits
from bus.scmi.status import Status
from nodes.firmware.hardware import Board
from nodes.firmware.hardware.voltages import OFF, ON
from nodes.firmware.holds import Holds
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import LevelRange, VoltageDomain
from nodes.firmware.platform.voltages import reachable
from nodes.firmware.service import Answer, Handler, Served
from nodes.firmware.votes import Votes

KIND = "voltage_domain"
ASYNC, NAMED = 0x2_0000, 0x2_0000  # the version that brought delayed responses and long names


class VoltageService(Served):
    """Votes on configurations and levels; without a vote a domain is as at boot."""

    table = voltage.PROTOCOL

    def __init__(self, machine: Machine, board: Board) -> None:
        self.machine = machine
        self.board = board.voltages
        self.domains = board.voltages.domains
        self.resources = {KIND: self.domains}
        self._fit = fits(voltage.DescribeLevelsReply, machine.payload_bytes)
        self._own_view = machine.platform.agent_view == "own"
        self.configs, self.levels = Votes(), Votes()
        self.holds = Holds("voltage", KIND, self.domains.values())
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "VOLTAGE_DOMAIN_ATTRIBUTES": self.attributes,
            "VOLTAGE_DESCRIBE_LEVELS": self.describe_levels,
            "VOLTAGE_CONFIG_SET": self.config_set,
            "VOLTAGE_CONFIG_GET": self.config_get,
            "VOLTAGE_LEVEL_SET": self.level_set,
            "VOLTAGE_LEVEL_GET": self.level_get,
            "VOLTAGE_DOMAIN_NAME_GET": self.name_get,
        }

    # ---- what is told -------------------------------------------------------------------------

    def protocol_attributes(self, _agent: int, _request: object) -> Answer:
        return voltage.ProtocolAttributesReply(voltage.ATTRIBUTES.pack(num_domains=len(self.domains)))

    def attributes(self, agent: int, request: voltage.DomainAttributes) -> Answer:
        domain = self.domains[request.domain_id]
        bits = voltage.DOMAIN.pack(
            async_level_set=self._delays(agent, domain),
            extended_name=self.machine.version >= NAMED and len(domain.name) > 15,
        )
        return voltage.DomainAttributesReply(bits, domain.name)

    def _delays(self, agent: int, domain: VoltageDomain) -> bool:
        """Whether the agent may ask for a level asynchronously."""
        return domain.async_set and self.machine.version >= ASYNC and self.machine.outbox.reaches(agent)

    def describe_levels(self, _agent: int, request: voltage.DescribeLevels) -> Answer:
        levels, first = self.domains[request.domain_id].levels, request.level_index
        if isinstance(levels, LevelRange):
            if first:
                return Status.OUT_OF_RANGE
            bits = voltage.NUM_LEVELS.pack(triplet=1, returned=3)
            return voltage.DescribeLevelsReply(bits, levels.triplet)
        if first and first >= len(levels):
            return Status.OUT_OF_RANGE
        page = levels[first : first + self._fit]
        bits = voltage.NUM_LEVELS.pack(remaining=len(levels) - first - len(page), returned=len(page))
        return voltage.DescribeLevelsReply(bits, page)

    def name_get(self, _agent: int, request: voltage.DomainNameGet) -> Answer:
        return voltage.DomainNameGetReply(0, self.domains[request.domain_id].name)

    # ---- configuration ------------------------------------------------------------------------

    def config_set(self, agent: int, request: voltage.ConfigSet) -> Answer:
        domain = self.domains[request.domain_id]
        if self.holds.taken(agent, domain.id):
            return Status.DENIED
        if request.config not in (OFF, ON):
            bits = voltage.CONFIG_BITS.unpack(request.config)
            if not bits["implementation_defined"] or bits["mode_id"] not in domain.modes:
                return Status.INVALID_PARAMETERS
        self.holds.take(agent, domain.id)
        self.configs.drop(agent, domain.id)
        self.configs.cast(agent, domain.id, request.config)
        self._ask_config(domain.id)
        if request.config == OFF and self.holds.drop(agent, domain.id):
            self.levels.drop(agent, domain.id)
            self._ask_level(domain.id)
        return Status.SUCCESS

    def _ask_config(self, domain_id: int) -> None:
        votes = self.configs.of(domain_id)
        newest = next((one for one in reversed(votes.values()) if one != OFF), OFF)
        self.board.ask_config(domain_id, newest if votes else None)

    def config_get(self, agent: int, request: voltage.ConfigGet) -> Answer:
        physical = self.board.config(request.domain_id)
        return voltage.ConfigGetReply(self._seen(agent, request.domain_id, self.configs, physical))

    # ---- level --------------------------------------------------------------------------------

    def level_set(self, agent: int, request: voltage.LevelSet) -> Answer:
        domain, level = self.domains[request.domain_id], request.voltage_level
        if self.holds.taken(agent, domain.id):
            return Status.DENIED
        later = voltage.LEVEL_SET_FLAGS.get(request.flags, "async_set")
        if later and not self._delays(agent, domain):
            return Status.NOT_SUPPORTED
        if not reachable(domain, level):
            return Status.INVALID_PARAMETERS
        if (
            self.board.config(domain.id) == OFF
            and self.machine.profile.level_set_while_off is not Status.SUCCESS
        ):
            return self.machine.profile.level_set_while_off
        if later:
            return self._level_later(agent, domain, level)
        return self._wish_level(agent, domain.id, level)

    def _level_later(self, agent: int, domain: VoltageDomain, level: int) -> Answer:
        def finish() -> Answer:
            status = self._wish_level(agent, domain.id, level)
            if status is not Status.SUCCESS:
                return status
            return voltage.LevelSetComplete(domain.id, self._level(agent, domain.id))

        status = self.machine.delayed.start(agent, (KIND, domain.id), domain.set_us, finish)
        if status is Status.SUCCESS:
            self.holds.take(agent, domain.id)
        return status

    def _wish_level(self, agent: int, domain_id: int, level: int) -> Status:
        if self.holds.taken(agent, domain_id):
            return Status.DENIED
        self.holds.take(agent, domain_id)
        self.levels.cast(agent, domain_id, level)
        self._ask_level(domain_id)
        return Status.SUCCESS

    def _ask_level(self, domain_id: int) -> None:
        self.board.ask_level(domain_id, max(self.levels.of(domain_id).values(), default=None))

    def _level(self, agent: int, domain_id: int) -> int:
        return self._seen(agent, domain_id, self.levels, self.board.level(domain_id))

    def level_get(self, agent: int, request: voltage.LevelGet) -> Answer:
        return voltage.LevelGetReply(self._level(agent, request.domain_id))

    # ---- what agents hold ---------------------------------------------------------------------

    def _seen(self, agent: int, domain_id: int, votes: Votes, physical: int) -> int:
        return votes.of(domain_id).get(agent, physical) if self._own_view else physical

    def reset(self, agent_id: int) -> None:
        self.holds.withdraw(agent_id)
        for domain_id in self.configs.withdraw(agent_id):
            self._ask_config(domain_id)
        for domain_id in self.levels.withdraw(agent_id):
            self._ask_level(domain_id)

    def ledger(self, agent_id: int) -> list[Entry]:
        votes = [
            Entry("vote", "voltage", f"{KIND} {domain_id}", what, value)
            for what, votes in (("config", self.configs), ("level", self.levels))
            for domain_id, value in sorted(votes.held_by(agent_id).items())
        ]
        return [*votes, *self.holds.ledger(agent_id)]
