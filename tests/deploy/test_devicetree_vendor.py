"""The device trees of real boards load, alone and under a Xen SCMI fragment, and come back unchanged.

They are not part of this repository: ``tests/vendor_dtbs.sh FOLDER`` gets them from Debian, and
TRAPLINE_VENDOR_DTBS names that folder.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.devicetree import emit, load
from deploy.errors import UserError
from nodes.devicetree import Tree

FOLDER = os.environ.get("TRAPLINE_VENDOR_DTBS")
LOAD_SECONDS_MAX = 1.0
EVERY_DTS = 10  # source is slower to read, so only each tenth board goes through it

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

pytestmark = pytest.mark.skipif(
    FOLDER is None,
    reason="TRAPLINE_VENDOR_DTBS is not set; fill a folder with tests/vendor_dtbs.sh and name it",
)


@pytest.fixture(scope="module")
def boards() -> list[Path]:
    """Every blob in the folder that is a board, not an overlay. There must be some."""
    found = sorted(Path(FOLDER or "").rglob("*.dtb"))
    assert found, f"no .dtb in {FOLDER}"
    return found


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


def test_every_board_loads_quickly(boards: list[Path]) -> None:
    def check(board: Path) -> None:
        start = time.perf_counter()
        assert len(list(load([board]))) > 1
        assert time.perf_counter() - start < LOAD_SECONDS_MAX

    assert failures(boards, check) == []


def test_every_board_takes_a_fragment(boards: list[Path], tmp_path: Path) -> None:
    fragment = tmp_path / "xen.dts"
    fragment.write_text(FRAGMENT)

    def check(board: Path) -> None:
        start = time.perf_counter()
        merged = load([board, fragment])
        assert time.perf_counter() - start < LOAD_SECONDS_MAX
        scmi = merged.get("/chosen/xen/xen_scmi_config/scmi")
        assert scmi is not None
        shmem = merged.by_phandle(scmi.u32("shmem") or 0)
        assert shmem is not None
        assert merged.reg(shmem) == (0x47FF0000, 0x1000)
        plain, now = content(load([board])), content(merged)
        assert all(now[path] == plain[path] for path in plain)

    assert failures(boards, check) == []


def test_every_board_comes_back_unchanged(boards: list[Path], tmp_path: Path) -> None:
    dtb, dts = tmp_path / "again.dtb", tmp_path / "again.dts"

    def check(board: Path) -> None:
        tree = load([board])
        dtb.write_bytes(emit.to_dtb(tree))
        assert content(load([dtb])) == content(tree)

    def check_source(board: Path) -> None:
        tree = load([board])
        dts.write_text(emit.to_dts(tree))
        assert content(load([dts])) == content(tree)

    assert failures(boards, check) + failures(boards[::EVERY_DTS], check_source) == []
