"""EL3's power capping: the lowest cap that anyone asks for wins, and so does the shortest interval.

A cap of 0 is the wish for no cap. A domain that nobody has a wish for is as at boot. What happens when the
power is above the cap is the board's business (``hardware/powercap.py``).
"""

from functools import partial

from bus.scmi import powercap
from bus.scmi.powercap import POWERCAP_CAP_CHANGED
from bus.scmi.protocol import fits
from bus.scmi.status import Status
from nodes.firmware.hardware import Board
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import PowercapDomain
from nodes.firmware.platform.choices import Range
from nodes.firmware.platform.powercaps import LEVELS
from nodes.firmware.protocols import fastchannel
from nodes.firmware.protocols.powercap_watch import KIND, Measurements
from nodes.firmware.service import Answer, Handler, Served
from nodes.firmware.subscriptions import Subscriptions
from nodes.firmware.votes import Votes

LIFTED = powercap.POWER_CAP["DISABLE"]
LIFTING, LEVELLED = 0x20000, 0x30000  # since when 0 lifts a cap, since when a domain has several
ROOT = powercap.PARENT_ID["NONE"]
WORD_MAX = 0xFFFF_FFFF
SHORT_NAME = 15
Told = tuple[int, int, int]  # cap in the domain's unit, PAI, CAI in microseconds


class PowercapService(Served):
    """``caps`` and ``cais`` are the agents' wishes by cap level, ``pais`` those on the measurement."""

    table = powercap.PROTOCOL

    def __init__(self, machine: Machine, board: Board) -> None:
        self._machine = machine
        self._board = board.powercap
        self.domains: dict[int, PowercapDomain] = board.powercap.domains
        self.resources = {KIND: self.domains}
        self.offers = machine.platform.powercap_version
        self._levels = {one.id: one.every_level for one in self.domains.values()}
        self._levels_fit = fits(powercap.CpcAttributesReply, machine.payload_bytes)
        self.caps = [Votes() for _ in range(LEVELS)]
        self.cais = [Votes() for _ in range(LEVELS)]
        self.pais = Votes()
        self._changed = Subscriptions(machine, self.table, POWERCAP_CAP_CHANGED, KIND)
        self.measurements = Measurements(machine, self.power, self.pai_us)
        self._fast = {channel.message for one in self.domains.values() for channel in one.fastchannel}
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "POWERCAP_DOMAIN_ATTRIBUTES": self.attributes,
            "POWERCAP_CAP_GET": self.cap_get,
            "POWERCAP_CAP_SET": self.cap_set,
            "POWERCAP_PAI_GET": self.pai_get,
            "POWERCAP_PAI_SET": self.pai_set,
            "POWERCAP_DOMAIN_NAME_GET": self.name_get,
            "POWERCAP_MEASUREMENTS_GET": self.measurements_get,
            "POWERCAP_CAP_NOTIFY": self.cap_notify,
            "POWERCAP_MEASUREMENTS_NOTIFY": self.measurements_notify,
            "POWERCAP_DESCRIBE_FASTCHANNEL": self.describe_fastchannel,
            "POWERCAP_CPC_ATTRIBUTES": self.cpc_attributes,
            "POWERCAP_CAI_GET": self.cai_get,
            "POWERCAP_CAI_SET": self.cai_set,
        }
        for one in self.domains:
            self._apply(one, self._told(one))

    def message_attributes(self, command: str) -> int | Status:
        return int(command.removeprefix("POWERCAP_") in self._fast)

    # ---- what there is ------------------------------------------------------------------------

    def protocol_attributes(self, _agent: int, _request: object) -> Answer:
        return powercap.ProtocolAttributesReply(powercap.ATTRIBUTES.pack(num_domains=len(self.domains)))

    def attributes(self, agent: int, request: powercap.DomainAttributes) -> Answer:
        one = self.domains[request.domain_id]
        cai = self._levels[one.id][0].cai
        return powercap.DomainAttributesReply(
            self._features(agent, one),
            one.name,
            *_triplet(one.pai),
            *_triplet(one.cap),
            one.sustainable,
            one.accuracy,
            ROOT if one.parent is None else one.parent,
            *_triplet(cai),
        )

    def _features(self, agent: int, one: PowercapDomain) -> int:
        reached = self._machine.outbox.reaches(agent)
        features = {
            "cap_change_notify": one.notify and reached,
            "measurements_change_notify": one.notify_measurements and reached,
            "async_cap_set": one.async_set and reached,
            "extended_name": len(one.name) > SHORT_NAME,
            "cap_configurable": _configurable(one.cap),
            "power_monitoring": one.monitoring,
            "pai_configurable": _configurable(one.pai),
            "power_unit": powercap.POWER_UNIT[
                {"abstract": "ABSTRACT", "uW": "MICROWATT", "mW": "MILLIWATT"}[one.unit]
            ],
            "fastchannels": bool(one.fastchannel),
        }
        if self._machine.version < LEVELLED:
            return powercap.DOMAIN_OLD.pack(**features)
        levels = self._levels[one.id]
        features |= {"num_cpl": len(levels), "cai_configurable": _configurable(levels[0].cai)}
        return powercap.DOMAIN.pack(**features)

    def name_get(self, _agent: int, request: powercap.DomainNameGet) -> Answer:
        return powercap.DomainNameGetReply(0, self.domains[request.domain_id].name)

    def cpc_attributes(self, _agent: int, request: powercap.CpcAttributes) -> Answer:
        levels, index = self._levels[request.domain_id], request.desc_index
        if index >= len(levels):
            return Status.INVALID_PARAMETERS
        found = tuple(
            powercap.CplDescriptor(
                number,
                powercap.CPL_FLAGS.pack(cap_configurable=_configurable(level.cap)),
                *_triplet(level.cap),
                *_triplet(level.cai),
                level.name,
            )
            for number, level in enumerate(levels[index : index + self._levels_fit], index)
        )
        bits = powercap.NUM_CPL.pack(remaining=len(levels) - index - len(found), returned=len(found))
        return powercap.CpcAttributesReply(bits, found)

    def describe_fastchannel(self, _agent: int, request: powercap.DescribeFastchannel) -> Answer:
        channels = () if request.cpli else self.domains[request.domain_id].fastchannel
        return fastchannel.describe(
            self.table, self._machine.version, request.message_id, "POWERCAP_", channels
        )

    # ---- caps ---------------------------------------------------------------------------------

    def cap(self, domain_id: int, cpli: int = 0) -> int:
        """The cap in force on one level, in the domain's unit; 0 for none."""
        wishes = self.caps[cpli].of(domain_id).values()
        if not wishes:
            return self._levels[domain_id][cpli].cap.boot
        return min((wish for wish in wishes if wish != LIFTED), default=LIFTED)

    def cap_get(self, _agent: int, request: powercap.CapGet) -> Answer:
        if request.cpli >= len(self._levels[request.domain_id]):
            return Status.INVALID_PARAMETERS
        return powercap.CapGetReply(self.cap(request.domain_id, request.cpli))

    def cap_set(self, agent: int, request: powercap.CapSet) -> Answer:
        one = self.domains[request.domain_id]
        flags = powercap.CAP_SET_FLAGS.unpack(request.flags)
        refusal = self._cap_refusal(agent, one, request, bool(flags["async_set"]))
        if refusal is not None:
            return refusal
        if not flags["async_set"]:
            self._wish(self.caps[request.cpli], agent, one.id, request.power_cap)
            return Status.SUCCESS
        delayed = self._machine.delayed
        if delayed.under_way((KIND, one.id)):
            return Status.BUSY

        def finish() -> Answer:
            refusal = self._held_by_another(agent, one)
            if refusal is not None:
                return refusal
            self._wish(self.caps[request.cpli], agent, one.id, request.power_cap)
            return powercap.CapSetComplete(one.id, request.power_cap, request.cpli)

        silent = bool(flags["no_delayed_response"])
        return delayed.start(agent, (KIND, one.id), one.set_us, finish, silent=silent)

    def _cap_refusal(
        self, agent: int, one: PowercapDomain, request: powercap.CapSet, later: bool
    ) -> Status | None:
        if request.cpli >= len(self._levels[one.id]):
            return Status.INVALID_PARAMETERS
        offered = self._levels[one.id][request.cpli].cap
        if not _configurable(offered) or (
            later and not (one.async_set and self._machine.outbox.reaches(agent))
        ):
            return Status.NOT_SUPPORTED
        if request.power_cap == LIFTED and self._machine.version >= LIFTING:
            unusable = None
        else:
            unusable = _unusable(offered, request.power_cap, Status.OUT_OF_RANGE)
        return unusable or self._held_by_another(agent, one)

    def _held_by_another(self, agent: int, one: PowercapDomain) -> Status | None:
        if one.sharing == "votes":
            return None
        wishes = (self.caps[cpli].of(one.id) for cpli in range(len(self._levels[one.id])))
        held = any(who != agent and cap != LIFTED for wish in wishes for who, cap in wish.items())
        return Status.DENIED if held else None

    # ---- intervals ----------------------------------------------------------------------------

    def pai_us(self, domain_id: int) -> int:
        """The averaging interval of measurements in force."""
        return min(self.pais.of(domain_id).values(), default=self.domains[domain_id].pai.boot_us)

    def cai_us(self, domain_id: int, cpli: int = 0) -> int:
        """The averaging interval of a cap in force."""
        if cpli == 0 and self.domains[domain_id].cai is None:
            return self.pai_us(domain_id)
        boot = self._levels[domain_id][cpli].cai.boot_us
        return min(self.cais[cpli].of(domain_id).values(), default=boot)

    def pai_get(self, _agent: int, request: powercap.PaiGet) -> Answer:
        return powercap.PaiGetReply(self.pai_us(request.domain_id))

    def pai_set(self, agent: int, request: powercap.PaiSet) -> Answer:
        one = self.domains[request.domain_id]
        if not _configurable(one.pai):
            return Status.NOT_SUPPORTED
        refusal = _unusable(one.pai, request.interval, Status.OUT_OF_RANGE)
        refusal = refusal or self._held_by_another(agent, one)
        if refusal is None:
            self._wish(self.pais, agent, one.id, request.interval)
        return refusal or Status.SUCCESS

    def cai_get(self, _agent: int, request: powercap.CaiGet) -> Answer:
        if request.cpli >= len(self._levels[request.domain_id]):
            return Status.INVALID_PARAMETERS
        return powercap.CaiGetReply(self.cai_us(request.domain_id, request.cpli))

    def cai_set(self, agent: int, request: powercap.CaiSet) -> Answer:
        one, cpli = self.domains[request.domain_id], request.cpli
        if request.flags or cpli >= len(self._levels[one.id]):
            return Status.INVALID_PARAMETERS
        offered = self._levels[one.id][cpli].cai
        if (cpli == 0 and one.cai is None) or not _configurable(offered):
            return Status.NOT_SUPPORTED
        refusal = _unusable(offered, request.cai, Status.INVALID_PARAMETERS)
        refusal = refusal or self._held_by_another(agent, one)
        if refusal is None:
            self._wish(self.cais[cpli], agent, one.id, request.cai)
        return refusal or Status.SUCCESS

    # ---- measurements, notifications ----------------------------------------------------------

    def power(self, domain_id: int) -> int:
        """The measured power, in the domain's unit."""
        measured = self._board.measured_uw(domain_id) // self.domains[domain_id].microwatts
        return min(measured, WORD_MAX)

    def measurements_get(self, _agent: int, request: powercap.MeasurementsGet) -> Answer:
        one = self.domains[request.domain_id]
        if not one.monitoring:
            return Status.NOT_SUPPORTED
        return powercap.MeasurementsGetReply(self.power(one.id), self.pai_us(one.id))

    def measurements_notify(self, agent: int, request: powercap.MeasurementsNotify) -> Answer:
        one = self.domains[request.domain_id]
        if not one.notify_measurements:
            return Status.NOT_SUPPORTED
        if request.power_thresh_low > request.power_thresh_high:
            return Status.INVALID_PARAMETERS
        return self.measurements.subscribe(agent, one, request)

    def cap_notify(self, agent: int, request: powercap.CapNotify) -> Answer:
        if not self.domains[request.domain_id].notify:
            return Status.NOT_SUPPORTED
        return self._changed.set(agent, request.domain_id, request.notify_enable)

    # ---- what the wishes come to --------------------------------------------------------------

    def _wish(self, votes: Votes, agent: int, domain_id: int, value: int | None) -> None:
        """Note an agent's wish, or take it back (None), and make what follows so."""
        before = self._told(domain_id)
        if value is None:
            votes.drop(agent, domain_id)
        else:
            votes.cast(agent, domain_id, value)
        after = self._told(domain_id)
        if before != after:
            self._apply(domain_id, after)
            if self._changed.of(domain_id):
                self._tell(domain_id, before, after)

    def _told(self, domain_id: int) -> list[Told]:
        pai = self.pai_us(domain_id)
        levels = range(len(self._levels[domain_id]))
        return [(self.cap(domain_id, cpli), pai, self.cai_us(domain_id, cpli)) for cpli in levels]

    def _apply(self, domain_id: int, levels: list[Told]) -> None:
        """The lowest cap of all levels is the one that counts, over its own interval."""
        one = self.domains[domain_id]
        caps = [(cap, cai) for cap, _, cai in levels if cap != LIFTED]
        _, pai, own_cai = levels[0]
        cap, cai = min(caps, default=(None, own_cai))
        self._board.averaging(domain_id, pai)
        self._board.cap(domain_id, None if cap is None else cap * one.microwatts, cai)
        self.measurements.plan(domain_id)

    def _tell(self, domain_id: int, before: list[Told], after: list[Told]) -> None:
        for cpli, (was, now) in enumerate(zip(before, after, strict=True)):
            self._changed.tell(domain_id, partial(self._change, domain_id, cpli, was, now))

    def _change(
        self, domain_id: int, cpli: int, was: Told, now: Told, agent: int
    ) -> powercap.CapChanged | None:
        """What an agent is told of one level, in the words of the version it speaks; None: nothing."""
        levelled = self._machine.spoken(agent, self.table.id) >= LEVELLED
        interval = 2 if levelled else 1
        if (cpli and not levelled) or (was[0], was[interval]) == (now[0], now[interval]):
            return None
        return powercap.CapChanged(self._machine.cause, domain_id, now[0], now[interval], cpli)

    # ---- the life of an agent -----------------------------------------------------------------

    def reset(self, agent_id: int) -> None:
        for votes in (*self.caps, *self.cais, self.pais):
            for domain_id in sorted(votes.held_by(agent_id)):
                self._wish(votes, agent_id, domain_id, None)

    def ledger(self, agent_id: int) -> list[Entry]:
        wishes = [("interval", self.pais)]
        for cpli in range(LEVELS):
            wishes.append((f"cap {cpli}" if cpli else "cap", self.caps[cpli]))
            wishes.append((f"cap {cpli} interval" if cpli else "cap interval", self.cais[cpli]))
        votes = [
            Entry("vote", "powercap", f"{KIND} {domain_id}", what, value)
            for what, votes in wishes
            for domain_id, value in sorted(votes.held_by(agent_id).items())
        ]
        return [*votes, *self._changed.ledger(agent_id), *self.measurements.ledger(agent_id)]


def _configurable(given: Range) -> bool:
    return given.min != given.max


def _triplet(given: Range) -> tuple[int, int, int]:
    """Least, most, step; a range with one value has no step."""
    return given.min, given.max, given.step if _configurable(given) else 0


def _unusable(given: Range, value: int, beyond: Status) -> Status | None:
    """Why a value cannot be set: ``beyond`` outside the range, INVALID_PARAMETERS between two steps."""
    if not given.min <= value <= given.max:
        return beyond
    return None if given.has(value) else Status.INVALID_PARAMETERS
