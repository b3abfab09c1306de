"""Mapped page mode: one page in shared memory, frames carry registers only; what is said stays the same."""

import struct
from pathlib import Path

import pytest
from msgspec.structs import replace

from bus import frames
from deploy.memory import MappedMemory
from tests.conformance.board import VERSION_MESSAGE, Board, Guest
from tests.conformance.el3 import AREA, DISCOVER_AGENT, FREE, Answer, El3, Script, Smc, area, reply
from tests.conformance.trees import CANONICAL, PLATFORM, secondaries

SHARED = 0x47FF_2000
RATE_SET = 0x14 << 10 | 5


@pytest.fixture
def pages(tmp_path: Path) -> MappedMemory:
    folder = tmp_path / "pages"
    folder.mkdir()
    return MappedMemory(folder)


def boot(board: Board, tmp_path: Path, host: str = CANONICAL) -> Board:
    return board.boot_with_real_firmware(host, PLATFORM, str(tmp_path / "pages"))


def call(guest: Guest, pages: MappedMemory, header: int, payload: bytes = b"") -> tuple[int, bytes]:
    """One message through the shared page; gives its SCMI status and what follows."""
    page = pages.map(SHARED)
    page[: 28 + len(payload)] = area(0, header, payload)
    got = guest.trap(0x8200_0004)
    assert isinstance(got.frame, frames.Return), got.frame
    assert (got.frame.x[0], got.page) == (0, b"")
    _, status, _, _, length, answered = AREA.unpack_from(page)
    assert (status, answered) == (FREE, header)
    return struct.unpack_from("<i", page, 28)[0], bytes(page[32 : 24 + length])


def in_shared_pages(el3: El3, pages: MappedMemory) -> Script:
    """A firmware that says what the scripted one says, where the page does not travel."""

    def script(smc: Smc) -> Answer:
        page = pages.map(smc.address)
        header = AREA.unpack_from(page)[5]
        known = reply(0, el3.agents[smc.fid], name="agent")
        answer = (known if header == DISCOVER_AGENT else reply(0, 5 << 8 | 3))(replace(smc, header=header))
        page[: len(answer.page)] = answer.page
        return Answer(answer.x)

    return script


@pytest.mark.parametrize("cells", [3, 2])
def test_s01_s02_which_pages_xen_touches(
    board: Board, pages: MappedMemory, tmp_path: Path, cells: int
) -> None:
    """Pages are full of what reads as "busy": mapping one sets FREE, all others stay as they are."""
    listed = (0x47FF_0000, SHARED)
    for address in (*listed, 0x47FF_1000, 0x47FF_3000):
        pages.map(address)[:] = b"\x5a" * 4096
    agents = (" 0", " 2") if cells == 3 else ("", "")
    entries = (f"0x82000002 &scmi_shm_0{agents[0]}", f"0x82000004 &scmi_shm_2{agents[1]}")
    board.power_on(secondaries(*entries, cells=cells), pages=str(tmp_path / "pages"))
    board.el3.on[0] = in_shared_pages(board.el3, pages)
    board.boot()
    assert board.domains()["dom0"].agent_id == 0
    untouched = [0x47FF_3000, *(listed if cells == 3 else ())]
    assert all(bytes(pages.map(address)) == b"\x5a" * 4096 for address in untouched)
    assert [smc.address for smc in board.el3.settled()[2:]] == ([] if cells == 3 else list(listed))


def test_a_call_through_the_shared_page(board: Board, pages: MappedMemory, tmp_path: Path) -> None:
    guest = boot(board, tmp_path).create("domu", 2)
    assert call(guest, pages, VERSION_MESSAGE) == (0, (0x2_0001).to_bytes(4, "little"))


def test_s02_discovery_through_each_agents_own_page(
    board: Board, pages: MappedMemory, tmp_path: Path
) -> None:
    boot(board, tmp_path, secondaries("0x82000002 &scmi_shm_0", "0x82000004 &scmi_shm_2", cells=2))
    assert board.domains()["dom0"].agent_id == 0
    assert board.create("domu", 2).info.shmem == SHARED
    _, status, _, _, length, header = AREA.unpack_from(pages.map(SHARED))
    assert (status, length, header) == (FREE, 4 + 24, 0x4007), "EL3's answer to Xen is still in the page"


def test_s30_a_destroyed_agents_page_is_idle_again(board: Board, pages: MappedMemory, tmp_path: Path) -> None:
    guest = boot(board, tmp_path).create("domu", 2)
    rate_set = struct.pack("<IIQ", 0, 5, 2000)
    assert call(guest, pages, RATE_SET, rate_set)[0] == -3
    assert board.rc(frames.AssignDevice(guest.domid, "/soc/i2c@e6508000")) == 0
    assert call(guest, pages, RATE_SET, rate_set)[0] == 0
    pages.map(SHARED)[4:8] = bytes(4)
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    assert bytes(pages.map(SHARED)[:28]) == AREA.pack(0, FREE, 0, 0, 0, 0)
    assert call(board.create("domu", 2), pages, RATE_SET, rate_set)[0] == -3


def test_a_doorbell_without_a_message(board: Board, pages: MappedMemory, tmp_path: Path) -> None:
    """Nobody claimed the page: EL3 sets ERROR, the SMC itself was fine."""
    guest = boot(board, tmp_path).create("domu", 2)
    assert guest.x0(0x8200_0004) == 0
    assert AREA.unpack_from(pages.map(SHARED))[1] == 3
