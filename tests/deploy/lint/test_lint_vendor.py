"""Real boards with a Xen configuration over them: clean ones are clean, and every planted mistake is found.

The boards are those of ``tests/vendor_boards.py``; TRAPLINE_VENDOR_DTBS names their folder.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.devicetree import load
from deploy.lint import Finding, Inputs, check
from tests import vendor_boards

SECONDS_PER_BOARD = 0.5
SECONDS_FOR_75 = 20
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


def findings(board: Path, folder: Path, *changes: Callable[[str], str]) -> list[Finding]:
    files = vendor_boards.written(board, folder)
    text = files.fragment.read_text()
    for change in changes:
        text = change(text)
    files.fragment.write_text(text)
    return check(Inputs((board, files.fragment), files.guests))


def test_plain_boards_are_not_drowned() -> None:
    for board in vendor_boards.every_board():
        assert [one.rule for one in check(Inputs((board,)))] == ["no-xen-sci"], board


def test_configured_boards_are_clean(tmp_path: Path) -> None:
    found = {board.name: findings(board, tmp_path) for board in vendor_boards.boards()}
    assert {
        name: [one.message for one in some if one.severity in GRAVE] for name, some in found.items() if some
    } == {}


@pytest.mark.parametrize("rule", PLANTED)
def test_a_planted_mistake_is_found_on_every_board(tmp_path: Path, rule: str) -> None:
    missed = [
        board.name
        for board in vendor_boards.boards()
        if rule not in [one.rule for one in findings(board, tmp_path, *PLANTED[rule])]
    ]
    assert missed == []


def test_xens_agent_clashes_on_every_board(tmp_path: Path) -> None:
    """Xen is given the board's own channel: what the host tree shows would be the privileged one."""
    for board in vendor_boards.boards():
        host = vendor_boards.host_channel(load([board])).u32("arm,smc-id")
        own = replaced(f"arm,smc-id = <{vendor_boards.DOORBELLS + 1:#x}>", f"arm,smc-id = <{host:#x}>")
        rules = [one.rule for one in findings(board, tmp_path, own)]
        assert {"host-channel-privileged", "duplicate-smc-id"} <= set(rules), board


def test_access_controllers_at_the_host_channel_on_every_board(tmp_path: Path) -> None:
    for board in vendor_boards.boards():
        path = vendor_boards.host_channel(load([board])).path
        wrong = replaced("access-controllers = <&xen_scmi", f"access-controllers = <&{{{path}}}")
        assert "access-controllers-not-xen" in [one.rule for one in findings(board, tmp_path, wrong)], board


def test_it_is_quick(tmp_path: Path) -> None:
    boards = vendor_boards.boards()
    files = [(board, vendor_boards.write(load([board]), tmp_path)) for board in boards[:1] * 75]
    start = time.process_time()
    slowest = 0.0
    for board, made in files:
        begin = time.process_time()
        check(Inputs((board, made.fragment), made.guests))
        slowest = max(slowest, time.process_time() - begin)
    assert slowest < SECONDS_PER_BOARD
    assert time.process_time() - start < SECONDS_FOR_75
