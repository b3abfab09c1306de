"""--matrix and --platforms: what they mean, and what they are refused for."""

import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import UserError
from deploy.experiments.describing.scenario import SEED_MAX
from deploy.fleet.matrix import CELLS_MAX, named, parse
from deploy.fleet.plan import JOBS_MAX, Plan, changed, jobs, make, order_of, said
from tests.deploy.fleet.fleets import plan, scenario


def words(*matrix: str, platforms: int | None = None, first: int = 5) -> Plan:
    return Plan("small", "Small", "", first, "1", matrix, platforms)


def seconds(first: int, last: int) -> str:
    return "seconds=" + ",".join(map(str, range(first, last + 1)))


def pairs(found: Plan) -> list[tuple[str, int]]:
    return [(named(one.cell), one.seed) for one in jobs(found)]


def test_commas_separate_values_and_keys() -> None:
    block = parse("profile=v10,v11, firmware=a+b,seed=1..3,9")
    assert [named(cell) for cell in block.cells] == [
        "profile=v10 firmware=a+b",
        "profile=v11 firmware=a+b",
    ]
    assert list(block.each_seed()) == [1, 2, 3, 9]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "give KEY=VALUE"),
        ("v11", "give KEY=VALUE"),
        ("colour=red", "no key 'colour'"),
        ("seed=1,seed=2", "seed stands there twice"),
        ("profile=v11,v11", "profile=v11 stands there twice"),
        ("seconds=0.5,0.50", "seconds=0.5 stands there twice"),
        ("seed=", "give a number or a range"),
        ("seed=-1", "give a number or a range"),
        ("seed=5..4", "from low to high"),
        (f"seed={SEED_MAX + 1}", "from low to high"),
        ("seed=1..5,5..9", "seed 5 stands there twice"),
        ("seconds=0", "seconds above 0"),
        ("seconds=nan", "seconds above 0"),
        ("faults=x", "'all', 'none', or numbers"),
        ("profile=", "the version of Xen's driver"),
        ("seconds=" + ",".join(map(str, range(1, CELLS_MAX + 2))), f"at most {CELLS_MAX}"),
    ],
)
def test_a_matrix_that_means_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        parse(text)


def test_seeds_change_slowest_so_that_a_cut_hits_all_cells_alike() -> None:
    found = pairs(words("profile=a,b,seed=1..1000", platforms=5))
    assert found == [("profile=a", 1), ("profile=b", 1), ("profile=a", 2), ("profile=b", 2), ("profile=a", 3)]


def test_without_seeds_they_are_filled_up_from_the_scenarios_own() -> None:
    assert pairs(words(platforms=3)) == [("all", 5), ("all", 6), ("all", 7)]
    assert pairs(words("profile=a,b", platforms=3)) == [("profile=a", 5), ("profile=b", 5), ("profile=a", 6)]
    assert pairs(words("profile=a,b")) == [("profile=a", 5), ("profile=b", 5)]
    assert pairs(words()) == [("all", 5)]


def test_several_matrices_are_added_up() -> None:
    found = pairs(words("profile=a,seed=1..2", "profile=b,seed=1..3"))
    assert found == [
        ("profile=a", 1), ("profile=b", 1), ("profile=a", 2), ("profile=b", 2), ("profile=b", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (words("seed=1..9", platforms=10), "--platforms 10: the matrix has 9"),
        (words("profile=a,seed=1..3", "profile=a,seed=3"), "two of them have profile=a seed=3"),
        (words("seed=3", "seed=3"), "two of them have seed=3"),
        (words(f"seed=0..{JOBS_MAX}"), f"at most {JOBS_MAX}"),
        (words(seconds(1, 200), seconds(101, 257)), "257 cells together"),
        (words(platforms=2, first=SEED_MAX), f"they end at {SEED_MAX}"),
    ],
)
def test_words_that_contradict_each_other_are_refused(found: Plan, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        jobs(found)


def test_the_edge_of_what_there_can_be() -> None:
    assert len(jobs(words(f"seed=1..{JOBS_MAX}"))) == JOBS_MAX
    assert len(jobs(words(f"seed=0..{SEED_MAX}", platforms=3))) == 3, "a huge matrix costs nothing"
    assert [one.seed for one in jobs(words(first=SEED_MAX))] == [SEED_MAX]
    assert len(jobs(words(seconds(1, 200), seconds(201, CELLS_MAX)))) == CELLS_MAX


@given(
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from((0.5, 1, 2)), min_size=1, max_size=3, unique=True),
    st.integers(1, 9),
    st.data(),
)
def test_a_product_is_complete_and_every_cut_is_even(
    profiles: list[str], seconds: list[float], seeds: int, data: st.DataObject
) -> None:
    text = f"profile={','.join(profiles)},seconds={','.join(f'{one:g}' for one in seconds)},seed=1..{seeds}"
    whole = jobs(words(text))
    assert {(dict(one.cell)["profile"], float(dict(one.cell)["seconds"]), one.seed) for one in whole} == set(
        product(profiles, seconds, range(1, seeds + 1))
    )
    assert [one.number for one in whole] == list(range(len(whole)))
    cut = jobs(words(text, platforms=data.draw(st.integers(1, len(whole)))))
    assert cut == whole[: len(cut)]
    many = [sum(one.cell == cell for one in cut) for cell in {one.cell for one in whole}]
    assert max(many) - min(many) <= 1


def test_what_a_run_would_refuse_is_refused_before_the_first(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="profile=v99: there are"):
        plan(tmp_path, "profile=v99")
    with pytest.raises(UserError, match="nonsense"):
        plan(tmp_path, "firmware=nonsense")
    with pytest.raises(UserError, match="--stage mars"):
        make(scenario(tmp_path), (), 1, "mars")
    with pytest.raises(UserError, match=re.escape("[explore]")):
        make("teardown-race", (), 1)


def test_a_job_is_told_as_the_line_that_runs_it_alone(tmp_path: Path) -> None:
    found = plan(tmp_path, "profile=v11,firmware=spec-strict,seconds=0.5,faults=none,3+7,seed=4")
    lines = [said(order_of(found, one, 1, ""), "sim") for one in jobs(found)]
    path = tmp_path / "small.toml"
    begin = f"trapline run {path} --profile v11 --firmware spec-strict --seconds 0.5 --seed 4 --engine sim"
    assert lines == [f"{begin} --faults none", f"{begin} --faults 3,7"]


def test_what_changed_is_named() -> None:
    assert changed(words("seed=1"), words("seed=1")) is None
    assert changed(words("seed=1"), words("seed=2")) == "--matrix"
    assert changed(words(), words(platforms=1)) == "--platforms"
