"""Power capping on the bench: a platform that has every kind of domain, and what tests do to them."""

from typing import Any

from bus.scmi import powercap
from bus.scmi.status import Status
from nodes.firmware.platform import (
    Averaging,
    CapChannel,
    CapLevel,
    CapRange,
    PowercapDomain,
)
from tests.nodes.el3 import TWO, Bench
from tests.nodes.unasked import answer, platform

OK = Status.SUCCESS
ROOT, FIXED, RICH, ALONE = range(4)
ASYNC, SILENT = 2, 1
DOMAINS = (
    PowercapDomain(ROOT, "soc", CapRange(1, 100_000), Averaging(1000, 1000), base_uw=1_000_000),
    PowercapDomain(
        FIXED, "fixed", CapRange(50, 50), Averaging(1000, 1000), parent=ROOT, monitoring=False, notify=False,
        notify_measurements=False,
    ),
    PowercapDomain(
        RICH,
        "a-domain-with-a-very-long-name",
        CapRange(100, 1000, 50, boot=900),
        Averaging(1000, 9000, 2000, boot=3000),
        parent=ROOT,
        unit="uW",
        base_uw=700,
        sustainable=800,
        accuracy=2,
        async_set=True,
        set_us=100,
        fastchannel=(CapChannel("CAP_SET", 0x5000_0000, 7, doorbell=0x5000_1000),),
    ),
    PowercapDomain(
        ALONE,
        "alone",
        CapRange(10, 100),
        Averaging(1000, 2000),
        unit="abstract",
        unit_uw=250,
        base_uw=1000,
        cai=Averaging(100, 300, 100),
        levels=(CapLevel("peak", CapRange(10, 200, 10), Averaging(10, 20, 5)),),
        async_set=True,
        set_us=100,
        sharing="exclusive",
        every_measurement=False,
    ),
)  # fmt: skip


def made(version: int = 0x20000) -> Bench:
    return Bench(platform(powercap_domain=DOMAINS, powercap_version=version))


def ask(bench: Bench, name: str, request: Any, agent: int = TWO) -> Any:
    return answer(bench, agent, "powercap", f"POWERCAP_{name}", request)


def cap(bench: Bench, domain: int, value: int, agent: int = TWO, *, flags: int = 0, cpli: int = 0) -> Status:
    found = ask(bench, "CAP_SET", powercap.CapSet(domain, cpli, flags, value), agent)
    return found if isinstance(found, Status) else OK


def capped(bench: Bench, domain: int, cpli: int = 0) -> int:
    value: int = ask(bench, "CAP_GET", powercap.CapGet(domain, cpli)).power_cap
    return value


def interval(bench: Bench, domain: int, value: int, agent: int = TWO) -> Status:
    found = ask(bench, "PAI_SET", powercap.PaiSet(domain, 0, value), agent)
    return found if isinstance(found, Status) else OK


def attributes(bench: Bench, domain: int, agent: int = TWO) -> Any:
    return ask(bench, "DOMAIN_ATTRIBUTES", powercap.DomainAttributes(domain), agent)


def watch(bench: Bench, domain: int, low: int, high: int, enable: int = 1) -> Any:
    return ask(bench, "MEASUREMENTS_NOTIFY", powercap.MeasurementsNotify(domain, enable, low, high))
