"""``trapline up`` on the trees of real boards, with real processes: every domain's SCMI works.

All boards are booted on virtual time by ``tests/deploy/test_vendor_boards.py``.
"""

import os
from pathlib import Path

import pytest

from deploy import control
from deploy.rundir import RunDirectory
from tests import vendor_boards
from tests.system.cluster import Cluster

FOLDER = Path(os.environ.get(vendor_boards.VARIABLE, "/"))

pytestmark = pytest.mark.skipif(
    not vendor_boards.boards(),
    reason=f"{vendor_boards.VARIABLE} names no folder of boards; fill one with tests/vendor_dtbs.sh",
)


@pytest.mark.parametrize("board", [str(path.relative_to(FOLDER)) for path in vendor_boards.part(0)])
def test_a_board_starts(cluster: Cluster, board: str) -> None:
    path = FOLDER / board
    files = vendor_boards.written(path, cluster.folder)
    guests = [word for cfg in files.guests for word in ("--xl", cfg)]
    cluster.up("--idle", "--host-dt", path, "--host-dt", files.fragment, *guests)
    for domain in ("dom0", *vendor_boards.GUESTS.values()):
        answer = control.ask(RunDirectory(cluster.run), control.Call(domain, 0x10, 0, b""))
        assert (answer["code"], answer["status"]) == ("", 0), answer
    cluster.supervisor.terminate()
    ended = cluster.ended()
    assert ended.returncode == 0
    assert ended.stderr == ""
