"""The device trees of real boards load, alone and under a fragment, and come back unchanged.

They are not part of this repository: ``tests/vendor_dtbs.sh FOLDER`` gets them from Debian, and
TRAPLINE_VENDOR_DTBS names that folder. Every board is loaded; what takes longer is done with each board that
has SCMI over SMC, and with each tenth of the others. ``PARTS`` tests of each kind share the boards.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.devicetree import emit, load
from deploy.errors import UserError
from nodes.devicetree import Tree
from tests import vendor_boards

EVERY = 10  # of the boards without SCMI
EVERY_DTS = 100  # source is slower to read
PARTS = 8

FRAGMENT = """\
/dts-v1/;
/ {
    chosen {
        xen {
            xen_scmi_config {
                scmi { compatible = "arm,scmi-smc"; arm,smc-id = <0x82000002>; shmem = <&scmi_shm>; };
            };
        };
    };
    scmi-memory {
        #address-cells = <2>;
        #size-cells = <2>;
        ranges;
        scmi_shm: sram@47ff0000 { compatible = "arm,scmi-shmem"; reg = <0x0 0x47ff0000 0x0 0x1000>; };
    };
};
"""

parts = pytest.mark.parametrize("part", range(PARTS))
pytestmark = pytest.mark.skipif(
    not vendor_boards.every_board(),
    reason=f"{vendor_boards.VARIABLE} names no folder of boards; fill one with tests/vendor_dtbs.sh",
)


def sample(every: int = EVERY) -> list[Path]:
    scmi = set(vendor_boards.boards())
    others = [board for board in vendor_boards.every_board() if board not in scmi]
    return [*vendor_boards.boards()[:: every // EVERY], *others[::every]]


def content(tree: Tree) -> dict[str, dict[str, bytes]]:
    return {node.path: node.properties for node in tree}


def failures(boards: list[Path], check: Callable[[Path], None]) -> list[str]:
    """One line for each board that ``check`` fails for, so that one run tells all of them."""
    found = []
    for board in boards:
        try:
            check(board)
        except (UserError, AssertionError) as error:
            found.append(f"{board}: {error}")
    return found


def test_there_are_boards_with_scmi() -> None:
    assert vendor_boards.boards(), f"no board in {vendor_boards.VARIABLE} carries {vendor_boards.CHANNEL}"


@parts
def test_every_board_loads(part: int) -> None:
    def check(board: Path) -> None:
        assert len(list(load([board]))) > 1

    assert failures(vendor_boards.every_board()[part::PARTS], check) == []


@parts
def test_a_board_takes_a_fragment(part: int, tmp_path: Path) -> None:
    fragment = tmp_path / "xen.dts"
    fragment.write_text(FRAGMENT)

    def check(board: Path) -> None:
        merged = load([board, fragment])
        scmi = merged.get("/chosen/xen/xen_scmi_config/scmi")
        assert scmi is not None
        shmem = merged.by_phandle(scmi.u32("shmem") or 0)
        assert shmem is not None
        assert merged.reg(shmem) == (0x47FF0000, 0x1000)
        plain, now = content(load([board])), content(merged)
        assert all(now[path] == plain[path] for path in plain)

    assert failures(sample()[part::PARTS], check) == []


@parts
def test_a_board_comes_back_unchanged(part: int, tmp_path: Path) -> None:
    dtb, dts = tmp_path / "again.dtb", tmp_path / "again.dts"

    def check(board: Path) -> None:
        tree = load([board])
        dtb.write_bytes(emit.to_dtb(tree))
        assert content(load([dtb])) == content(tree)

    def check_source(board: Path) -> None:
        tree = load([board])
        dts.write_text(emit.to_dts(tree))
        assert content(load([dts])) == content(tree)

    assert failures(sample()[part::PARTS], check) == []
    assert failures(sample(EVERY_DTS)[part::PARTS], check_source) == []
