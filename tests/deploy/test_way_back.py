"""The way back through shipped cores: EL3's link, Xen, a guest with a P2A page, its inbox."""

import msgspec
import pytest

from bus import frames, shmem
from bus.links import XEN
from bus.scmi import header
from bus.scmi.header import MessageType
from deploy import assembly
from deploy.engines.simulated import SimulatedEngine
from deploy.toolstack import Toolstack, Work
from deploy.topology import Guest, load_shipped
from deploy.xl.sci import IomemRange
from nodes.contract import Received, Send
from nodes.guest import console
from nodes.guest.binding import WayBack
from nodes.guest.core import GuestConfig

TOPOLOGY = load_shipped()
LINE, MACHINE, SEEN = 112, 0x47FF_5000, 0x2200_2000
CHANGED = header.pack(0x11, 0, 0, MessageType.NOTIFICATION)
NOTE = shmem.request(CHANGED, b"\1\2\3\4")


def with_way_back(guest: Guest) -> Guest:
    binding = msgspec.structs.replace(guest.binding, p2a=WayBack(SEEN, LINE))
    iomem = (*guest.iomem, IomemRange(MACHINE // 4096, 1, SEEN // 4096))
    return msgspec.structs.replace(guest, binding=binding, iomem=iomem, irqs=(LINE,))


def test_a_notification_arrives() -> None:
    engine = SimulatedEngine(TOPOLOGY, 3, lambda *_: None)
    xl = Toolstack(engine, TOPOLOGY, Work())
    xl.start_boot_domains()
    xl.create(with_way_back(TOPOLOGY.guests[0]))
    raised = frames.encode(frames.Interrupt(1, 0, 0, LINE, MACHINE))
    for _ in range(2):
        assert engine.drivers()["firmware"].link.send(XEN, raised, NOTE)
        engine.run(1_000_000)
    taken = xl.ask("ivi", console.Take())
    assert taken.messages == ((CHANGED, b"\1\2\3\4"),) * 2
    counted = engine.xen.meters.counter("trapline_interrupts_total")
    assert dict(counted) == {("ivi", "injected"): 2, ("ivi", "ended"): 2}
    assert xl.ask("cluster", console.Take()).code == "no-p2a"


@pytest.mark.parametrize("mapped", [True, False])
def test_a_guest_gets_its_second_page_where_it_is_mapped(mapped: bool) -> None:
    """Mapped pages: what is written at the machine's address is what the guest reads."""
    guest = with_way_back(TOPOLOGY.guests[0])
    memory = shmem.PrivateMemory()
    memory.map(MACHINE)[: len(NOTE)] = NOTE
    ranges = [(0x22001, 0x47FF3, 1)] + ([(SEEN // 4096, MACHINE // 4096, 1)] if mapped else [])
    core = assembly.guest(GuestConfig("ivi", "3", guest.binding, carried=False), tuple(ranges), memory)
    core.step(Received(XEN, frames.Interrupt(1, 0, 0, LINE, SEEN), b""), 1)
    (answer,) = core.step(Received(XEN, frames.Console(1, 1, 1, 3, console.encode(console.Take())), b""), 2)
    assert isinstance(answer, Send)
    told = console.decode_answer(answer.frame.body)
    if mapped:
        assert told.messages == ((CHANGED, b"\1\2\3\4"),)
        assert shmem.status_of(memory.map(MACHINE)) == shmem.FREE
    else:
        assert (told.code, told.definite) == ("no-p2a", True)
