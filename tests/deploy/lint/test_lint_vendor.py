"""Real boards with a Xen configuration over them: clean ones are clean, and every planted mistake is found.

The boards are those of ``tests/vendor_boards.py``; TRAPLINE_VENDOR_DTBS names their folder. Each mistake is
planted on a sixth of them, each board gets mistakes.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.devicetree import load
from deploy.lint import Finding, Inputs, check
from tests import vendor_boards

GRAVE = ("error", "warning")

pytestmark = pytest.mark.skipif(
    not vendor_boards.boards(),
    reason="TRAPLINE_VENDOR_DTBS is not set; fill a folder with tests/vendor_dtbs.sh and name it",
)


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, 1)

    return change


def doorbell(agent: int, value: str) -> Callable[[str], str]:
    return replaced(f"<{vendor_boards.DOORBELLS + agent:#x} &xen_shm_{agent} {agent}>", value)


def without_ranges(text: str) -> str:
    before, after = text.split("xen {", 1)
    return f"{before}xen {{{after.replace('ranges;', '', 1)}"


def page_size(text: str) -> str:
    before, after = text.split("xen_shm_2: ", 1)
    return f"{before}xen_shm_2: {after.replace('0x1000>', '0x800>', 1)}"


D2 = f"{vendor_boards.DOORBELLS + 2:#x}"
D3 = f"{vendor_boards.DOORBELLS + 3:#x}"
WIDTH = "#scmi-secondary-agents-cells = <3>"
PLANTED: dict[str, list[Callable[[str], str]]] = {
    "duplicate-smc-id": [doorbell(3, f"<{D2} &xen_shm_3 3>")],
    "duplicate-shmem": [doorbell(3, f"<{D3} &xen_shm_2 3>")],
    "duplicate-agent-id": [doorbell(3, f"<{D3} &xen_shm_3 2>")],
    "agent-id-unreachable": [doorbell(3, f"<{D3} &xen_shm_3 255>")],
    "smc-id-owner": [doorbell(3, "<0x83000003 &xen_shm_3 3>")],
    "smc-id-not-fast": [doorbell(3, "<0x02000003 &xen_shm_3 3>")],
    "dangling-phandle": [doorbell(3, f"<{D3} 0xdead 3>")],
    "agents-length": [doorbell(3, f"<{D3}>")],
    "shmem-unaligned": [page_size],
    "missing-ranges": [without_ranges],
    "agents-cells-mismatch": [replaced(WIDTH, "#scmi-secondary-agents-cells = <2>")],
    "agents-cells": [replaced(WIDTH, "#scmi-secondary-agents-cells = <7>")],
    "dom0-agent-missing": [replaced("xen,dom0-sci-agent-id = <0>;", "")],
    "dom0-agent-unknown": [replaced("agent-id = <0>", "agent-id = <9>")],
    "dom0-agent-invalid": [replaced("agent-id = <0>", "agent-id = <255>")],
    "dom0-channel-mismatch": [replaced("agent-id = <0>", "agent-id = <3>")],
    "no-management-node": [replaced('"arm,scmi-smc"', '"arm,scmi-hvc"')],
    "no-container": [replaced('compatible = "xen,sci";', "")],
    "provider-without-cells": [replaced("#access-controller-cells = <1>;", "")],
    "old-name": [replaced("xen,dom0-sci-agent-id", "xen,dom0_sci_agent_id")],
}


# Mistakes that do not hide one another are planted together.
TOGETHER = [
    [
        "duplicate-smc-id",
        "shmem-unaligned",
        "missing-ranges",
        "dom0-agent-missing",
        "no-management-node",
        "provider-without-cells",
    ],
    ["duplicate-shmem", "dom0-agent-unknown"],
    ["duplicate-agent-id", "dom0-agent-invalid"],
    ["agent-id-unreachable", "old-name"],
    ["smc-id-owner", "dom0-channel-mismatch"],
    ["smc-id-not-fast"],
    ["dangling-phandle"],
    ["agents-length"],
    ["agents-cells-mismatch"],
    ["agents-cells"],
    ["no-container"],
]
BATCHES = 4  # so that they spread over processes


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, vendor_boards.Files]:
    """Each board's fragment and guests, written once."""
    return {
        board: vendor_boards.write(load([board]), tmp_path_factory.mktemp("board"))
        for board in vendor_boards.boards()
    }


def findings(board: Path, files: vendor_boards.Files, *changes: Callable[[str], str]) -> list[Finding]:
    good = files.fragment.read_text()
    text = good
    for change in changes:
        text = change(text)
    files.fragment.write_text(text)
    try:
        return check(Inputs((board, files.fragment), files.guests))
    finally:
        files.fragment.write_text(good)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_plain_boards_are_not_drowned(batch: int) -> None:
    for board in vendor_boards.every_board()[batch::BATCHES]:
        assert [one.rule for one in check(Inputs((board,)))] == ["no-xen-sci"], board


def test_configured_boards_are_clean(platforms: dict[Path, vendor_boards.Files]) -> None:
    found = {board.name: findings(board, files) for board, files in platforms.items()}
    assert {
        name: [one.message for one in some if one.severity in GRAVE] for name, some in found.items() if some
    } == {}


def test_every_mistake_is_planted() -> None:
    assert sorted(rule for group in TOGETHER for rule in group) == sorted(PLANTED)


@pytest.mark.parametrize("group", TOGETHER, ids=lambda group: "+".join(group))
def test_planted_mistakes_are_found(platforms: dict[Path, vendor_boards.Files], group: list[str]) -> None:
    missed = {}
    changes = [change for rule in group for change in PLANTED[rule]]
    for board in vendor_boards.part(TOGETHER.index(group)):
        rules = {one.rule for one in findings(board, platforms[board], *changes)}
        if not rules.issuperset(group):
            missed[board.name] = sorted(set(group) - rules)
    assert missed == {}


def test_xens_agent_clashes(platforms: dict[Path, vendor_boards.Files]) -> None:
    """Xen is given the board's own channel: what the host tree shows would be the privileged one."""
    for board in vendor_boards.part(0):
        files = platforms[board]
        host = vendor_boards.host_channel(load([board])).u32("arm,smc-id")
        own = replaced(f"arm,smc-id = <{vendor_boards.DOORBELLS + 1:#x}>", f"arm,smc-id = <{host:#x}>")
        rules = [one.rule for one in findings(board, files, own)]
        assert {"host-channel-privileged", "duplicate-smc-id"} <= set(rules), board


def test_access_controllers_at_the_host_channel(
    platforms: dict[Path, vendor_boards.Files],
) -> None:
    for board in vendor_boards.part(1):
        files = platforms[board]
        path = vendor_boards.host_channel(load([board])).path
        wrong = replaced("access-controllers = <&xen_scmi", f"access-controllers = <&{{{path}}}")
        assert "access-controllers-not-xen" in [one.rule for one in findings(board, files, wrong)], board
