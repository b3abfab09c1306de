"""Each real board with SCMI over SMC becomes a platform on which every domain's SCMI works.

In one process on virtual time; ``tests/system/test_vendor_up.py`` does the same with real processes.
"""

import os
from pathlib import Path

import pytest

from deploy import devicetree
from deploy.engines.simulated import SimulatedEngine
from deploy.toolstack import Toolstack, Work
from deploy.topology import Topology
from deploy.topology import load as load_topology
from nodes.guest import console
from nodes.xen import binding, hazards
from tests import vendor_boards

FOLDER = Path(os.environ.get(vendor_boards.VARIABLE, "/"))
PROTOCOL_VERSION = console.Call(0x10, 0, b"")

pytestmark = pytest.mark.skipif(
    not vendor_boards.boards(),
    reason=f"{vendor_boards.VARIABLE} names no folder of boards; fill one with tests/vendor_dtbs.sh",
)


def loaded(board: str, folder: Path) -> Topology:
    """What ``trapline up`` would start."""
    path = FOLDER / board
    files = vendor_boards.written(path, folder)
    return load_topology([path, files.fragment], None, files.guests, {})


@pytest.mark.parametrize("board", [str(path.relative_to(FOLDER)) for path in vendor_boards.boards()])
def test_every_domain_reaches_its_agent(tmp_path: Path, board: str) -> None:
    topology = loaded(board, tmp_path)
    said: list[str] = []
    engine = SimulatedEngine(topology, 1, lambda _node, level, text: said.append(f"{level}: {text}"))
    toolstack = Toolstack(engine, topology, Work())
    toolstack.start()
    agents = {info.name: info.agent_id for info in toolstack.list()}
    assert agents == {"dom0": 0, "second": 2, "third": 3}
    for domain in agents:
        answer = toolstack.ask(domain, PROTOCOL_VERSION)
        assert (answer.code, answer.status, len(answer.payload)) == ("", 0, 4), (domain, answer)
    assert [line for line in said if not line.startswith(("info", "debug"))] == []


@pytest.mark.parametrize("board", [str(path.relative_to(FOLDER)) for path in vendor_boards.boards()])
def test_xen_has_nothing_against_it(tmp_path: Path, board: str) -> None:
    """No broken rule, no hazard; and the pages are nobody else's on the board."""
    path = FOLDER / board
    plain = devicetree.load([path])
    tree = loaded(board, tmp_path).host
    node = next(binding.candidates(tree))
    assert list(binding.management_problems(tree, node)) == []
    own, others = binding.management(tree, node), binding.secondaries(tree)
    assert [str(one) for one in hazards.hazards(tree, own, others)] == []
    area, address, _ = vendor_boards.shmem(plain)
    for page in (own.shmem, *(other.shmem for other in others)):
        claims = vendor_boards.used(plain, area if page == address else None)
        assert vendor_boards.is_free(claims, page, page + vendor_boards.PAGE)
