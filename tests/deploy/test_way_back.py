"""The way back through shipped cores: EL3's link, Xen, a guest with a P2A page, its inbox."""

import socket
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus import frames, shmem
from bus.links import XEN
from bus.scmi import header
from bus.scmi.header import MessageType
from deploy import assembly, attach, control
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


def booted() -> tuple[SimulatedEngine, Toolstack]:
    """The shipped platform, on which ivi has a way back."""
    engine = SimulatedEngine(TOPOLOGY, 3, lambda *_: None)
    xl = Toolstack(engine, TOPOLOGY, Work())
    xl.start_boot_domains()
    xl.create(with_way_back(TOPOLOGY.guests[0]))
    return engine, xl


def raise_line(engine: SimulatedEngine, page: bytes = NOTE) -> None:
    """EL3 says something unasked; time passes until it has arrived."""
    raised = frames.encode(frames.Interrupt(1, 0, 0, LINE, MACHINE))
    assert engine.drivers()["firmware"].link.send(XEN, raised, page)
    engine.run(1_000_000)


def test_a_notification_arrives() -> None:
    engine, xl = booted()
    for _ in range(2):
        raise_line(engine)
    taken = xl.ask("ivi", console.Take())
    assert taken.messages == ((CHANGED, b"\1\2\3\4"),) * 2
    counted = engine.xen.meters.counter("trapline_interrupts_total")
    assert dict(counted) == {("ivi", "injected"): 2, ("ivi", "ended"): 2}
    assert xl.ask("cluster", console.Take()).code == "no-p2a"


RATE_GET = header.pack(0x14, 6, 9)
COMPLETE = header.pack(0x14, 5, 9, MessageType.DELAYED_RESPONSE)


def test_an_attached_client_gets_responses_delayed_ones_and_notifications() -> None:
    """The socket's side of it in this thread, on virtual time."""
    engine, xl = booted()
    raise_line(engine)

    def ask(request: control.Request) -> Any:
        if isinstance(request, control.Message):
            wanted: console.Request = console.Message(request.header, request.payload)
        else:
            wanted = console.Take()
        answer = msgspec.to_builtins(xl.ask("ivi", wanted), builtin_types=(bytes,))
        if isinstance(request, control.Message):
            raise_line(engine)
            raise_line(engine, shmem.request(COMPLETE, bytes(4)))
        return answer

    with (
        tempfile.TemporaryDirectory(dir="/tmp", prefix="tl-") as folder,
        socket.socket(socket.AF_UNIX) as client,
    ):
        with attach.SocketFile(Path(folder) / "s") as file:
            client.connect(str(file.path))
            client.sendall(attach.frame(RATE_GET, (5).to_bytes(4, "little")))
            client.shutdown(socket.SHUT_WR)
            attachment = attach.Attachment("ivi", ask, pytest.fail, lambda: False)
            assert attachment.serve(file.listener, once=True)
        received = client.recv(4096)
    got = []
    while (found := attach.first(received)) is not None:
        head, payload, received = found
        got.append((head, payload))
    assert got == [
        (RATE_GET, bytes(4) + (33_333_333).to_bytes(8, "little")),
        (CHANGED, b"\1\2\3\4"),
        (COMPLETE, bytes(4)),
    ], "what had been said before the client came is not for it"


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
