"""Physical interrupts on both links: from EL3 to the domain that has the line, and its end back to EL3."""

import pytest

from bus import frames
from nodes.xen.errno import Errno
from tests.conformance.board import PAGE, Board, Guest
from tests.conformance.el3 import FREE, REGISTERS, area
from tests.conformance.rig import VERSION, Got
from tests.conformance.trees import DOM0_AGENT, edited

LINE, OTHER = 112, 113
MACHINE, SEEN = 0x47FF_5000, 0x2200_2000
NOTE = area(0, 0x11 << 10 | 3 << 8, b"\1\2\3\4")
FREED = area(FREE, 0x11 << 10 | 3 << 8, b"")
FID = 0x8200_0004


def with_line(board: Board, name: str = "domu", agent_id: int = 2, line: int = LINE) -> Guest:
    """A running domain that has the line and sees a P2A page."""
    guest = board.create(name, agent_id)
    assert board.rc(frames.BindPtIrq(guest.domid, line, line)) == 0
    assert board.rc(frames.IrqPermission(guest.domid, line, True)) == 0
    assert board.rc(frames.IomemPermission(guest.domid, MACHINE // 4096, 1, True)) == 0
    assert board.rc(frames.MemoryMapping(guest.domid, SEEN // 4096, MACHINE // 4096, 1)) == 0
    return guest


def raise_line(board: Board, line: int = LINE, request: int = 0, page: bytes = NOTE) -> None:
    address = MACHINE if page else 0
    board.el3.port.send(frames.Interrupt(VERSION, request, 7, line, address), page)


def end(guest: Guest, line: int = LINE, request: int = 0) -> None:
    guest.port.send(frames.EndOfInterrupt(VERSION, request, 7, line, SEEN), FREED)


def all_of(inbox: list[Got], kind: type) -> list[Got]:
    return [got for got in inbox if isinstance(got.frame, kind)]


def interrupts(board: Board, guest: Guest) -> list[Got]:
    """All that the guest has got: nothing that EL3 raised before is still on its way."""
    board.el3.settled()
    guest.port.hello("guest")
    return all_of(guest.port.inbox, frames.Interrupt)


def ends(board: Board, *guests: Guest) -> list[Got]:
    """All ends that EL3 has got of what these guests have sent."""
    for guest in guests:
        guest.port.hello("guest")
    board.el3.settled()
    return all_of(board.el3.port.inbox, frames.EndOfInterrupt)


def test_an_interrupt_reaches_its_owner_only_and_its_end_comes_back(board: Board) -> None:
    guest = with_line(board.boot())
    other = board.create("other", 3)
    raise_line(board, request=11)
    (got,) = interrupts(board, guest)
    assert got == Got(frames.Interrupt(VERSION, 11, 7, LINE, SEEN), NOTE)
    assert interrupts(board, other) == []
    end(guest, request=11)
    assert ends(board, guest) == [Got(frames.EndOfInterrupt(VERSION, 11, 7, LINE, MACHINE), FREED)]


def test_an_interrupt_without_a_page(board: Board) -> None:
    guest = with_line(board.boot())
    raise_line(board, page=b"")
    assert interrupts(board, guest) == [Got(frames.Interrupt(VERSION, 0, 7, LINE, 0), b"")]


def test_an_interrupt_comes_while_the_domain_is_in_an_smc(board: Board) -> None:
    guest = with_line(board.boot())
    board.el3.holding = True
    request = guest.ring((FID,), page=area(0, 0x4000, b""))
    board.rig.wait(lambda: board.el3.held, "the SMC")
    raise_line(board)
    assert len(interrupts(board, guest)) == 1
    end(guest)
    assert len(ends(board, guest)) == 1
    board.el3.release()
    assert guest.port.answer_to(request, frames.Return).frame.x == REGISTERS


def test_while_one_is_in_flight_others_are_one(board: Board) -> None:
    guest = with_line(board.boot())
    for request in range(4):
        raise_line(board, request=request)
    assert [got.frame.request for got in interrupts(board, guest)] == [0]
    end(guest)
    assert len(ends(board, guest)) == 1
    assert [got.frame.request for got in interrupts(board, guest)] == [0, 3]
    end(guest)
    assert len(ends(board, guest)) == 2
    assert len(interrupts(board, guest)) == 2


def test_a_line_without_a_route(board: Board) -> None:
    guest = with_line(board.boot())
    raise_line(board, OTHER)
    assert interrupts(board, guest) == []
    assert board.rig.warned(f"interrupt {OTHER} is routed to no domain")
    assert guest.trap(FID, page=area(0, 0x4000, b"")).frame.x == REGISTERS


def test_a_domain_whose_process_is_gone(board: Board) -> None:
    guest = with_line(board.boot())
    other = board.create("other", 3)
    board.rig.shut(guest.port)
    raise_line(board)
    raise_line(board)
    board.el3.settled()
    assert other.trap(0x8200_0005, page=area(0, 0x4000, b"")).frame.x == REGISTERS
    assert ends(board, other) == []


def test_a_domain_that_comes_back_starts_with_none(board: Board) -> None:
    guest = with_line(board.boot())
    raise_line(board)
    raise_line(board)
    assert len(interrupts(board, guest)) == 1
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    raise_line(board)
    board.el3.settled()
    again = with_line(board, "again")
    assert interrupts(board, again) == []
    raise_line(board, request=5)
    assert [got.frame.request for got in interrupts(board, again)] == [5]


def test_an_end_by_another_domain_is_refused(board: Board) -> None:
    guest = with_line(board.boot())
    other = with_line(board, "other", 3, OTHER)
    raise_line(board)
    assert len(interrupts(board, guest)) == 1
    end(other, request=9)
    refusal = other.port.answer_to(9, frames.Error).frame
    assert (refusal.code, refusal.definite) == ("no-interrupt", True)
    assert ends(board, other) == []
    end(guest)
    assert len(ends(board, guest)) == 1


def test_an_end_of_nothing_is_refused(board: Board) -> None:
    guest = with_line(board.boot())
    end(guest, request=9)
    assert guest.port.answer_to(9, frames.Error).frame.code == "no-interrupt"
    assert ends(board, guest) == []


def test_only_el3_raises_interrupts(board: Board) -> None:
    guest = with_line(board.boot())
    other = board.create("other", 3)
    for port in (other.port, guest.port, board.toolstack):
        request = port.next_request()
        port.send(frames.Interrupt(VERSION, request, 0, LINE, 0))
        assert port.answer_to(request, frames.Error).frame.code == "refused"
    assert interrupts(board, guest) == []


def test_a_line_is_one_domains(board: Board) -> None:
    guest = with_line(board.boot())
    other = board.create("other", 3)
    assert board.rc(frames.BindPtIrq(other.domid, LINE, LINE)) == -Errno.EBUSY
    assert board.rc(frames.BindPtIrq(guest.domid, LINE, LINE)) == -Errno.EBUSY
    assert board.rc(frames.BindPtIrq(other.domid, 31, 31)) == -Errno.EINVAL
    assert board.rc(frames.BindPtIrq(other.domid, OTHER, OTHER + 1)) == -Errno.EINVAL
    assert board.rc(frames.IrqPermission(0, OTHER, False)) == 0
    assert board.rc(frames.BindPtIrq(other.domid, OTHER, OTHER)) == -Errno.EPERM


SCMI_NODE = "arm,smc-id = <0x82000002>;"
WITH_LINE = f"{SCMI_NODE} interrupts = <0 80 4>;"


def test_dom0_has_the_line_of_its_scmi_node(board: Board) -> None:
    dom0 = board.boot(edited((SCMI_NODE, WITH_LINE))).dom0()
    raise_line(board, page=b"")
    assert len(interrupts(board, dom0)) == 1
    other = board.create("other", 3)
    assert board.rc(frames.BindPtIrq(other.domid, LINE, LINE)) == -Errno.EBUSY


def test_without_scmi_dom0_has_no_such_line(board: Board) -> None:
    dom0 = board.boot(edited((SCMI_NODE, WITH_LINE), (DOM0_AGENT, ""))).dom0()
    raise_line(board, page=b"")
    assert interrupts(board, dom0) == []


def test_a_boot_domain_has_the_lines_of_its_partial_tree(board: Board) -> None:
    node = (
        '\tdomu1 { compatible = "xen,domain"; xen,sci_type = "scmi_smc_multiagent"; '
        "xen,sci-agent-id = <2>; };\n\t\txen {"
    )
    partial = f"""/dts-v1/; / {{ passthrough {{
        sram@{SEEN:x} {{ xen,reg = <0x0 {MACHINE:#x} 0x0 0x1000 0x0 {SEEN:#x}>;
            xen,force-assign-without-iommu; }};
        scmi {{ compatible = "arm,scmi-smc"; interrupts = <0 80 4>; }};
    }}; }};"""
    board.boot(edited(("\txen {", node)), partials={"domu1": partial})
    guest = Guest(board, board.domains()["domu1"])
    raise_line(board)
    assert interrupts(board, guest) == [Got(frames.Interrupt(VERSION, 0, 7, LINE, SEEN), NOTE)]


@pytest.mark.parametrize("how", ["created", "shut down"])
def test_a_domain_that_does_not_run(board: Board, how: str) -> None:
    guest = with_line(board.boot())
    if how == "created":
        domid = board.domctl(frames.CreateDomain("paused", 2, 3)).domid
        assert board.rc(frames.BindPtIrq(domid, OTHER, OTHER)) == 0
        paused = Guest(board, board.domains()["paused"])
        raise_line(board, OTHER)
        assert interrupts(board, paused) == []
        return
    guest.ring((0x8400_0008,), address=PAGE)
    board.rig.wait(lambda: board.domains()["domu"].state == "shutdown", "the shutdown")
    raise_line(board)
    assert interrupts(board, guest) == []
