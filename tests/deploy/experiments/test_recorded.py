"""What a run was made of, kept and read back; what is no such file is one line."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.frames import CLUSTER_BYTES
from deploy.errors import UserError
from deploy.experiments.history import recorded
from deploy.topology import load_shipped
from nodes.guest.core import GuestConfig
from nodes.guest.load import WorkPlan


def test_what_is_kept_comes_back_whatever_the_profile(tmp_path: Path) -> None:
    topology = load_shipped()
    guests = {
        guest.name: GuestConfig(guest.name, "1", guest.binding, think_ns=7) for guest in topology.guests
    }
    made = recorded.describe(
        topology, guests, run_id="r", seed=2, engine="sim", faults=("link.lose", "link.lose", "el3.late")
    )
    recorded.save(tmp_path, made)
    assert recorded.load(tmp_path) == made
    assert made.faults == ("el3.late", "link.lose")


def test_each_start_of_xen_has_its_own_first_request() -> None:
    made = recorded.describe(
        load_shipped(), {}, run_id="r", seed=2, engine="sim", first_requests=(0, 1 << 32)
    )
    assert [made.xen(start).tuning.first_request for start in range(3)] == [0, 1 << 32, 1 << 32]


def test_a_guest_is_kept_once_and_again_where_it_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = GuestConfig("ivi", "1", None), GuestConfig("ivi", "2", None)
    guests: dict[str, GuestConfig] = {}
    for node, config in (("ivi#1", first), ("ivi#2", first), ("ivi#3", other)):
        recorded.remember(guests, node, config)
    assert guests == {"ivi": first, "ivi#3": other}
    made = recorded.describe(load_shipped(), guests, run_id="r", seed=2, engine="sim")
    assert [made.guest(node) for node in ("ivi#1", "ivi#3", "tcu#1")] == [first, other, None]
    monkeypatch.setattr(recorded, "GUESTS_MAX", 2)
    recorded.remember(guests, "ivi#4", other)
    assert "ivi#4" not in guests


def test_what_is_no_such_file_is_one_line_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"run\.json: not what a run was made of .*; make a new one"):
        recorded.load(tmp_path)
    (tmp_path / recorded.FILE).write_bytes(b"{")
    with pytest.raises(UserError, match="make a new one"):
        recorded.load(tmp_path)
    made = recorded.describe(load_shipped(), {}, run_id="r", seed=2, engine="sim")
    recorded.save(tmp_path, msgspec.structs.replace(made, format=recorded.FORMAT + 1))
    with pytest.raises(UserError, match="format 2, this Trapline reads 1"):
        recorded.load(tmp_path)


def test_a_load_that_no_guest_could_carry_out_is_named(tmp_path: Path) -> None:
    plan = WorkPlan(kind="open", rate=-1.0)
    guests = {"ivi": GuestConfig("ivi", "3", None, plan=plan)}
    recorded.save(tmp_path, recorded.describe(load_shipped(), guests, run_id="r", seed=2, engine="sim"))
    with pytest.raises(UserError, match=r"run\.json: guests\.ivi\.plan\.rate: .*not negative"):
        recorded.load(tmp_path)


def changed(data: Any, path: str, value: object) -> bytes:
    """``data`` as JSON with ``value`` at ``path``."""
    *steps, last = (int(part) if part.isdecimal() else part for part in path.split("."))
    inner = data
    for step in steps:
        inner = inner[step]
    inner[last] = value
    return msgspec.json.encode(data)


@pytest.mark.parametrize(
    ("path", "last", "first_wrong"),
    [
        ("seed", 0, -1),
        ("origin_ns", (1 << 62) - 1, 1 << 62),
        ("first_requests.0", (1 << 62) - 1, (1 << 64) - 1),
        ("tuning.patience_ns", 0, -1),
        ("guests.ivi.binding.shmem", (1 << 64) - 1, 1 << 64),
        ("guests.ivi.binding.consumers.0.clocks.0", (1 << 32) - 1, 1 << 32),
        ("guests.ivi.think_ns", 0, -1),
        ("platform.agent.0.id", 0, 1),
        ("platform.area_bytes", 128, 1 << 70),
        ("others.0.origin_ns", 0, -1),
    ],
)
def test_a_number_that_no_run_has_is_named(path: str, last: int, first_wrong: int) -> None:
    topology = load_shipped()
    guests = {guest.name: GuestConfig(guest.name, "1", guest.binding) for guest in topology.guests}
    made = recorded.describe([topology, topology], guests, run_id="r", seed=2, engine="sim")
    good, bad = (
        changed(msgspec.json.decode(msgspec.json.encode(made)), path, value) for value in (last, first_wrong)
    )
    recorded.read(good, "run.json", "mend it")
    with pytest.raises(
        UserError, match=r"^run\.json: .*" + re.escape(path.rpartition(".")[0].removesuffix(".0"))
    ):
        recorded.read(bad, "run.json", "mend it")


@pytest.mark.parametrize("board", ["cluster", "others.0.cluster"])
@pytest.mark.parametrize(
    ("good", "bad"), [("ab" * CLUSTER_BYTES, "ab" * (CLUSTER_BYTES + 1)), ("", "zz"), ("ab", "abc")]
)
def test_a_cluster_that_nothing_is_called_is_named(board: str, good: str, bad: str) -> None:
    topology = load_shipped()
    made = recorded.describe([topology, topology], {}, run_id="r", seed=2, engine="sim")
    data = msgspec.json.decode(msgspec.json.encode(made))
    recorded.read(changed(data, board, good), "run.json", "mend it")
    with pytest.raises(UserError, match=r"^run\.json: .*cluster.*; mend it"):
        recorded.read(changed(data, board, bad), "run.json", "mend it")
