"""Ordinary SCMI work, as a coroutine: discovery as Linux does it at start, then a driver's daily life.

It yields what to ask and is sent how it ended. It knows messages and resources, not channels or time.
"""

from collections.abc import Generator

from bus.fields import M, Message, WrongSize, decode, encode
from bus.scmi import BY_ID, base, clock, power, reset
from bus.scmi.protocol import PROTOCOL_VERSION, AnyCommand, Protocol, VersionReply
from nodes.guest.binding import Binding, Consumer
from nodes.guest.calls import Ask, Outcome

Work = Generator[Ask, Outcome, None]
TRIPLET = 3  # lowest rate, highest rate, step


def ask(protocol: Protocol, name: str, request: Message | None = None, version: int = 0) -> Ask:
    """The message for a command by name; ``version`` 0 means the newest layout we have."""
    command: AnyCommand | None = protocol.command(name)
    if command is None:
        raise ValueError(f"{protocol.key} has no command {name!r}")
    payload = encode(request, version or protocol.version) if request else b""
    return Ask(protocol.id, command.id, payload, protocol.key)


def linux_like(binding: Binding) -> Work:
    """Discovery, then every consumer device switched on and kept busy, for ever."""
    protocols = yield from discover()
    versions = {protocol.id: BY_ID[protocol.id].version for protocol in protocols}
    lives = [_Device(consumer, versions) for consumer in binding.consumers]
    for life in lives:
        yield from life.start()
    while True:
        yield ask(base.PROTOCOL, "BASE_DISCOVER_IMPLEMENTATION_VERSION")
        for life in lives:
            yield from life.use()


def discover() -> Generator[Ask, Outcome, list[Protocol]]:
    """What Linux asks of Base at start; gives the protocols that both sides know."""
    yield ask(base.PROTOCOL, "PROTOCOL_VERSION")
    yield ask(base.PROTOCOL, "PROTOCOL_ATTRIBUTES")
    yield ask(base.PROTOCOL, "BASE_DISCOVER_VENDOR")
    yield ask(base.PROTOCOL, "BASE_DISCOVER_SUB_VENDOR")
    yield ask(base.PROTOCOL, "BASE_DISCOVER_IMPLEMENTATION_VERSION")
    listed = yield ask(base.PROTOCOL, "BASE_DISCOVER_LIST_PROTOCOLS", base.DiscoverListProtocols(0))
    yield ask(base.PROTOCOL, "BASE_DISCOVER_AGENT", base.DiscoverAgent(base.SELF))
    known = []
    for protocol_id in _listed(listed):
        protocol = BY_ID.get(protocol_id)
        if protocol is not None:
            answer = yield ask(protocol, PROTOCOL_VERSION.name)
            yield ask(protocol, "PROTOCOL_ATTRIBUTES")
            if _decoded(VersionReply, answer) is not None:
                known.append(protocol)
    return known


def _decoded(reply: type[M], outcome: Outcome) -> M | None:
    """The reply of a call that succeeded; None also for one that is not as its table says."""
    if not outcome.answered or outcome.status:
        return None
    try:
        return decode(reply, outcome.payload)
    except WrongSize:
        return None


def _listed(outcome: Outcome) -> tuple[int, ...]:
    reply = _decoded(base.DiscoverListProtocolsReply, outcome)
    return reply.protocols if reply else ()


class _Device:
    """One device: its clocks and domains, and the rates it moves between."""

    def __init__(self, consumer: Consumer, versions: dict[int, int]) -> None:
        has_clock = clock.PROTOCOL.id in versions
        has_power = power.PROTOCOL.id in versions
        has_reset = reset.PROTOCOL.id in versions
        self.clocks = consumer.clocks if has_clock else ()
        self.power_domains = consumer.power_domains if has_power else ()
        self.reset_domains = consumer.reset_domains if has_reset else ()
        self.rates: dict[int, tuple[int, ...]] = {}
        self.turn = 0

    def start(self) -> Work:
        """Power on, reset, read the rates, enable the clocks."""
        for domain in self.power_domains:
            yield ask(power.PROTOCOL, "POWER_DOMAIN_ATTRIBUTES", power.DomainAttributes(domain))
            yield ask(power.PROTOCOL, "POWER_STATE_SET", power.StateSet(0, domain, power.ON))
        for domain in self.reset_domains:
            yield ask(reset.PROTOCOL, "RESET_DOMAIN_ATTRIBUTES", reset.DomainAttributes(domain))
            yield ask(reset.PROTOCOL, "RESET", reset.Reset(domain, reset.FLAGS.pack(autonomous=1), 0))
        for one in self.clocks:
            yield ask(clock.PROTOCOL, "CLOCK_ATTRIBUTES", clock.ClockAttributes(one))
            outcome = yield ask(clock.PROTOCOL, "CLOCK_DESCRIBE_RATES", clock.DescribeRates(one, 0))
            self.rates[one] = _rates(outcome)
            yield ask(clock.PROTOCOL, "CLOCK_CONFIG_SET", clock.ConfigSet(one, clock.STATE_ENABLE, 0))

    def use(self) -> Work:
        """One turn: a rate change here, a look at a domain there."""
        self.turn += 1
        for one in self.clocks:
            rates = self.rates.get(one)
            if rates:
                wanted = rates[self.turn % len(rates)]
                yield ask(clock.PROTOCOL, "CLOCK_RATE_SET", clock.RateSet(0, one, wanted))
            yield ask(clock.PROTOCOL, "CLOCK_RATE_GET", clock.RateGet(one))
        for domain in self.power_domains:
            yield ask(power.PROTOCOL, "POWER_STATE_GET", power.StateGet(domain))


def _rates(outcome: Outcome) -> tuple[int, ...]:
    """Rates to move between: the list's, or three of a range."""
    reply = _decoded(clock.DescribeRatesReply, outcome)
    if reply is None:
        return ()
    if clock.NUM_RATES.get(reply.num_rates_flags, "triplet"):
        if len(reply.rates) != TRIPLET or not reply.rates[-1]:
            return reply.rates[:1]
        low, high, step = reply.rates
        return low, low + (high - low) // step // 2 * step, high
    return reply.rates
