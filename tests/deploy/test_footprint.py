"""What the measurement of processes says about processes that are known."""

import os
from pathlib import Path

from deploy.scale import __main__ as table
from deploy.scale.footprint import Footprint, cpu_s, disk_bytes, footprint
from deploy.scale.measuring import Measured, simulated

GONE = 1 << 30  # no process has this number


def test_this_process_has_memory_descriptors_and_used_the_cpu() -> None:
    before = footprint([os.getpid()])
    assert before.processes == 1
    assert before.pss_bytes > 1 << 20
    assert before.descriptors == before.descriptors_most >= 3
    with open(os.devnull, "rb"):
        assert footprint([os.getpid(), os.getpid()]).descriptors == before.descriptors + 1
    assert 0 < cpu_s([os.getpid()]) <= sum(os.times()[:2]) + 1


def test_who_is_gone_takes_nothing() -> None:
    assert footprint([GONE]) == Footprint(1, 0, 0, 0)
    assert footprint([]) == Footprint(0, 0, 0, 0)
    assert cpu_s([GONE]) == 0


def test_holes_take_no_room(tmp_path: Path) -> None:
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 30)
    assert disk_bytes(tmp_path) < 1 << 20
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "full").write_bytes(bytes(1 << 20))
    assert disk_bytes(tmp_path) >= 1 << 20


def test_more_domains_than_one_platform_has_are_on_several() -> None:
    found = simulated(300)
    assert (found.platforms, found.domains, found.answered) == (2, 300, 300)


def test_a_line_has_a_cell_for_each_column() -> None:
    one = Measured("x", 0, 4, 4, 2.0, 1.0, Footprint(4, 8 << 20, 40, 12), 3, 2048, 0.5)
    found = dict(zip(table.COLUMNS, table.cells(one), strict=True))
    assert found["ms/domain"] == "500.0"
    assert found["MiB/domain"] == "2.00"
    assert found["run dir KiB"] == "2"
    assert found["idle % of a core"] == "50.0"
    assert (found["platforms"], found["CPU us/call"]) == ("-", "-")
