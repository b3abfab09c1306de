"""Dom0's tree and a guest's tree from real boards with an SCMI channel of their own.

The boards are not part of this repository: see ``test_devicetree_vendor.py``.
"""

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from deploy import devicetree
from deploy.derive import derive_platform
from deploy.devicetree import emit
from deploy.dt.dom0 import write_dom0
from deploy.dt.guest import ADDRESS, plan
from deploy.dt.template import guest_source
from nodes.devicetree import Node, Tree
from nodes.guest.binding import bind
from tests.deploy import written

FOLDER = os.environ.get("TRAPLINE_VENDOR_DTBS")
DTC = shutil.which("dtc")
PAGES = "".join(
    f'scmi_{at}: sram@47ff{at}000 {{ compatible = "arm,scmi-shmem"; reg = <0 0x47ff{at}000 0 0x1000>; }};'
    for at in range(3)
)
BUS = "#address-cells = <2>; #size-cells = <2>; ranges;"
FRAGMENT = f"""/dts-v1/;
/ {{ xen {{ {BUS} config {{ {BUS} compatible = "xen,sci"; {PAGES}
    scmi-secondary-agents = <0x82000002 &scmi_0 0 0x82000004 &scmi_2 2>;
    xen,dom0-sci-agent-id = <0>;
    scmi {{ compatible = "arm,scmi-smc"; arm,smc-id = <0x82000003>; shmem = <&scmi_1>; }};
}}; }}; }};
"""

pytestmark = [
    pytest.mark.skipif(FOLDER is None, reason="TRAPLINE_VENDOR_DTBS is not set; see tests/vendor_dtbs.sh"),
    pytest.mark.skipif(DTC is None, reason="dtc is not installed"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def boards() -> list[Path]:
    """Every board with an arm,scmi-smc channel. There must be some."""
    every = sorted(Path(FOLDER or "").rglob("*.dtb"))
    found = [board for board in every if b"arm,scmi-smc\0" in board.read_bytes()]
    assert found, f"no board with SCMI over SMC in {FOLDER}"
    return found


def remarks(source: bytes, form: str) -> Counter[str]:
    """dtc's warnings by kind; fails if it does not compile."""
    command = [DTC or "dtc", "-I", form, "-O", "dtb", "-o", os.devnull]
    done = subprocess.run(command, input=source, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return Counter(re.findall(r"Warning \((\w+)\)", done.stderr.decode()))


def scmi_devices(host: Tree) -> list[Node]:
    """Devices that use SCMI resources and have registers; a cpu node has none."""
    found = bind(host)
    assert found is not None
    return [host[one.path] for one in found.consumers if not one.path.startswith("/cpus/")]


def test_dtc_has_no_more_to_say_of_dom0s_tree_than_of_the_boards(boards: list[Path], tmp_path: Path) -> None:
    fragment = tmp_path / "xen.dts"
    fragment.write_text(FRAGMENT)
    for board in boards:
        host = devicetree.load([board, fragment])
        dom0 = write_dom0(host)
        assert dom0.decision.agent_id == 0
        assert "/xen/config" in host
        assert "/xen/config" not in dom0.tree
        more = remarks(emit.to_dts(dom0.tree).encode(), "dts") - remarks(board.read_bytes(), "dtb")
        assert not {kind for kind in more if kind not in NEW_NODES}, board


# /xen stays, empty: a bus without devices and without a unit address of its own.
NEW_NODES = ("avoid_unnecessary_addr_size",)


def test_guests_trees_of_their_devices_are_sound(boards: list[Path], tmp_path: Path) -> None:
    fragment = tmp_path / "xen.dts"
    fragment.write_text(FRAGMENT)
    for board in boards:
        host = devicetree.load([board, fragment])
        paths = [node.path for node in scmi_devices(host) if "reg" in node.properties]
        made = plan(host, derive_platform(host), ("guest", "dom0less", 2), ADDRESS, paths)
        source = guest_source(made)
        found = bind(written.parsed(source))
        assert found is not None
        assert (found.func_id, found.shmem) == (0x8200_0004, ADDRESS)
        assert written.warnings(source, tmp_path) == [], board
