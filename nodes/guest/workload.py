"""Ordinary SCMI work, as a coroutine: discovery as Linux does it at start, then a driver's daily life.

It yields what to ask and is sent how it ended. It knows messages and resources, not channels or time.
"""

from bus.scmi import base, clock, power, reset
from nodes.guest.binding import Binding, Consumer
from nodes.guest.caller import Asking
from nodes.guest.client import Client
from nodes.guest.discovery import discover
from nodes.guest.result import Listing

Work = Asking[None]
TRIPLET = 3  # lowest rate, highest rate, step


def linux_like(binding: Binding) -> Work:
    """Discovery, then every consumer device switched on and kept busy, for ever."""
    client = Client()
    protocols = yield from discover(client)
    known = {protocol.id for protocol in protocols}
    lives = [_Device(client, consumer, known) for consumer in binding.consumers]
    for life in lives:
        yield from life.start()
    while True:
        yield from client.call(base.BASE_DISCOVER_IMPLEMENTATION_VERSION)
        for life in lives:
            yield from life.use()


class _Device:
    """One device: its clocks and domains, and the rates it moves between."""

    def __init__(self, client: Client, consumer: Consumer, known: set[int]) -> None:
        self.client = client
        self.clocks = consumer.clocks if clock.PROTOCOL.id in known else ()
        self.power_domains = consumer.power_domains if power.PROTOCOL.id in known else ()
        self.reset_domains = consumer.reset_domains if reset.PROTOCOL.id in known else ()
        self.rates: dict[int, tuple[int, ...]] = {}
        self.turn = 0

    def start(self) -> Work:
        """Power on, reset, read the rates, enable the clocks."""
        call = self.client.call
        for domain in self.power_domains:
            yield from call(power.POWER_DOMAIN_ATTRIBUTES, power.DomainAttributes(domain))
            yield from call(power.POWER_STATE_SET, power.StateSet(0, domain, power.ON))
        for domain in self.reset_domains:
            yield from call(reset.RESET_DOMAIN_ATTRIBUTES, reset.DomainAttributes(domain))
            yield from call(reset.RESET, reset.Reset(domain, reset.FLAGS.pack(autonomous=1), 0))
        for one in self.clocks:
            yield from call(clock.CLOCK_ATTRIBUTES, clock.ClockAttributes(one))
            self.rates[one] = rates_of((yield from self.client.every_rate(one)))
            yield from call(clock.CLOCK_CONFIG_SET, clock.ConfigSet(one, clock.STATE_ENABLE, 0))

    def use(self) -> Work:
        """One turn: a rate change here, a look at a domain there."""
        self.turn += 1
        call = self.client.call
        for one in self.clocks:
            rates = self.rates.get(one)
            if rates:
                wanted = rates[self.turn % len(rates)]
                yield from call(clock.CLOCK_RATE_SET, clock.RateSet(0, one, wanted))
            yield from call(clock.CLOCK_RATE_GET, clock.RateGet(one))
        for domain in self.power_domains:
            yield from call(power.POWER_STATE_GET, power.StateGet(domain))


def rates_of(listing: Listing[int]) -> tuple[int, ...]:
    """Rates to move between: the list's, or three of a range."""
    if not listing.triplet:
        return listing.items
    if len(listing.items) != TRIPLET or not listing.items[-1]:
        return listing.items[:1]
    low, high, step = listing.items
    return low, low + (high - low) // step // 2 * step, high
