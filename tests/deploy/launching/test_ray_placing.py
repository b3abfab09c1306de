"""Where nodes are to run: what the command line may say, and what Ray is asked for."""

import pytest

from deploy.errors import UserError
from deploy.launching.identity import Identity, Role
from deploy.launching.ray_placing import SHARE, Demand, Group, lacking, read

CLUSTER = "0" * 32


def who(role: Role, name: str = "") -> Identity:
    return Identity(CLUSTER, role, name or role, 1)


def test_by_default_xen_and_el3_are_together_and_guests_spread() -> None:
    placing = read([])
    assert placing.group() == Group(({"CPU": 2 * SHARE},), "PACK")
    assert placing.demand(who("xen")) == Demand({"CPU": SHARE}, 0)
    assert placing.demand(who("firmware")) == Demand({"CPU": SHARE}, 0)
    assert placing.demand(who("guest", "ivi")) == Demand({"CPU": SHARE}, spread=True)


def test_who_shares_a_board_takes_it_once() -> None:
    placing = read(["xen=el3board,firmware=el3board"])
    assert placing.group() == Group(({"CPU": 2 * SHARE, "el3board": 1.0},), "PACK")
    assert placing.tags == {"el3board": 1}


def test_one_of_both_with_a_board_takes_the_other_along() -> None:
    placing = read(["firmware=el3board"])
    assert placing.group().bundles == ({"CPU": 2 * SHARE, "el3board": 1.0},)


@pytest.mark.parametrize("said", ["xen=a,firmware=b", "xen=any,firmware=b"])
def test_two_places_are_two_bundles(said: str) -> None:
    placing = read([said])
    assert len(placing.group().bundles) == 2
    assert [placing.demand(who(role)).bundle for role in ("xen", "firmware")] == [0, 1]


@pytest.mark.parametrize("said", ["xen=apart", "firmware=apart", "xen=board,firmware=apart"])
def test_apart_is_two_machines(said: str) -> None:
    assert read([said]).group().strategy == "STRICT_SPREAD"


def test_a_domains_own_place_wins_over_that_of_guests() -> None:
    placing = read(["guests=any", "ivi=arm64-board"])
    assert placing.demand(who("guest", "ivi")) == Demand({"CPU": SHARE, "arm64-board": 1.0}, spread=True)
    assert placing.demand(who("guest", "tcu")) == Demand({"CPU": SHARE})


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("xen", "give WHO=WHERE"),
        ("xen=", "give WHO=WHERE"),
        ("=any", "give WHO=WHERE"),
        ("xen=a,xen=b", "xen is placed twice"),
        ("xen=spread", "xen may be together, apart, any, or the name"),
        ("guests=apart", "guests may be spread, any, or the name"),
        ("guests=CPU", "guests may be"),
        ("guests=node:10.0.0.1", "guests may be"),
    ],
)
def test_what_is_wrong_is_said(said: str, part: str) -> None:
    with pytest.raises(UserError, match=part):
        read([said])


def test_what_the_cluster_lacks_is_named_with_what_it_has() -> None:
    placing = read(["xen=el3board,firmware=el3board,guests=arm64-board"])
    machine = {"CPU": 2.0, "memory": 1.0, "node:10.0.0.1": 1.0}
    assert "the resource 'arm64-board' is wanted 1 time by" in lacking(placing, [machine | {"el3board": 1.0}])
    assert "the cluster has el3board: 1;" in lacking(placing, [machine | {"el3board": 1.0}])
    assert "no custom resource at all" in lacking(placing, [machine])
    assert not lacking(placing, [machine | {"el3board": 1.0}, machine | {"arm64-board": 1.0}])


def test_a_resource_that_is_needed_twice_must_be_there_twice() -> None:
    placing = read(["xen=board,firmware=board,ivi=board"])
    assert "'board' is wanted 2 times by" in lacking(placing, [{"CPU": 1.0, "board": 1.0}])
    assert not lacking(placing, [{"CPU": 1.0, "board": 2.0}])


def test_a_machine_must_have_a_cpu_and_apart_needs_two() -> None:
    assert "no machine of the cluster has a CPU" in lacking(read([]), [{"CPU": 0.0}])
    assert not lacking(read([]), [{"CPU": 1.0}])
    assert "apart needs two machines" in lacking(read(["xen=apart"]), [{"CPU": 1.0}, {"memory": 1.0}])
    assert not lacking(read(["xen=apart"]), [{"CPU": 1.0}, {"CPU": 1.0}])
