"""``trapline runs``, and what lies under ``compare``: what they say of past runs, in 80 columns."""

import json
from pathlib import Path

import msgspec
import pytest

from deploy.errors import UserError
from deploy.experiments.keeping.comparison import Comparison, compare
from deploy.experiments.keeping.runs import REPORT, RESULT, Runs
from deploy.experiments.result import RunResult
from tests.deploy.commands import run
from tests.deploy.experiments.results import agent, failing, huge, passing

A, B = "20261123-174005-noisy-1", "20261123-174105-noisy-7"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, kept as the conductor keeps them."""
    monkeypatch.setenv("TRAPLINE_RUNS", str(tmp_path))
    for result in (passing(started_at=1.0), failing(started_at=2.0, seed=2**64 - 1)):
        keep(tmp_path, result)
    return tmp_path


def keep(root: Path, result: RunResult) -> None:
    folder = root / result.run_id
    folder.mkdir()
    (folder / RESULT).write_bytes(msgspec.json.encode(result))
    (folder / REPORT).write_text("")
    Runs(root).add(result, folder)


@pytest.mark.parametrize("words", [("list",), ("show", A), ("show", B), ("compare", A, B, "--all")])
def test_every_table_fits_80_columns(root: Path, words: tuple[str, ...]) -> None:
    lines = run("runs", *words).stdout.splitlines()
    assert [line for line in lines if len(line) > 80 and not line.startswith("report")] == []


def test_the_list_has_the_newest_first_and_filters(root: Path) -> None:
    said = run("runs", "list").stdout
    assert said.index(B) < said.index(A)
    assert A not in run("runs", "list", "--verdict", "fail").stdout
    assert "no such run" in run("runs", "list", "--scenario", "soak").stdout
    assert [one["run_id"] for one in json.loads(run("runs", "list", "--json", "--limit", "1").stdout)] == [B]


def test_a_long_id_is_listed_whole(root: Path) -> None:
    long = "a-few-guests-at-work-one-crash-s6-20261123-182918"
    keep(root, passing(long))
    assert f"{long}  pass" in run("runs", "list", "--scenario", "noisy", "--verdict", "pass").stdout


def test_what_has_no_result_is_told(root: Path) -> None:
    (root / "20261123-180000-soak-1").mkdir()
    assert "cut off: 20261123-180000-soak-1" in run("runs", "list").stdout


def test_show_has_the_verdict_the_command_the_report_and_the_violations(root: Path) -> None:
    said = run("runs", "show", B, columns=200).stdout
    for one in (
        "FAIL",
        "trapline run noisy-neighbour",
        str(root / B / REPORT),
        "missed",
        "had asked trap 118",
    ):
        assert one in said
    (root / B / REPORT).unlink()
    assert "gone: " in run("runs", "show", B, columns=200).stdout


def test_show_as_json_has_the_whole_result(root: Path) -> None:
    data = json.loads(run("runs", "show", A, "--json").stdout)
    assert data["report"] == str(root / A / REPORT)
    assert msgspec.convert(data["result"], RunResult) == passing(started_at=1.0)


def test_an_unknown_and_an_ambiguous_id_are_one_error_that_names_near_ones(root: Path) -> None:
    for wrong in ("20261123-174005-noisy-2", "20261123"):
        with pytest.raises(UserError, match=A) as error:
            run("runs", "show", wrong)
        assert "\n" not in str(error.value)


def test_compare_says_what_was_asked_differently_and_what_got_worse(root: Path) -> None:
    said = run("runs", "compare", A, B, columns=120).stdout
    for one in ("seed", str(2**64 - 1), "adas leaks", "worse", "5 worse"):
        assert one in said
    assert "dom0" not in said  # the same in both
    assert "dom0" in run("runs", "compare", A, B, "--all", columns=120).stdout
    data = json.loads(run("runs", "compare", A, B, "--json").stdout)
    assert [row["what"] for row in data["comparison"]["setup"]] == ["seed"]


def test_prune_keeps_the_newest(root: Path) -> None:
    assert "removed 1 run " in run("runs", "prune", "--keep", "1").stdout
    assert not (root / A).exists()
    assert (root / B).exists()


def marks(seen: Comparison) -> dict[str, str]:
    return {f"{row.what} {row.measure}": row.mark for row in seen.agents}


def test_a_run_is_the_same_as_itself() -> None:
    seen = compare(passing(), passing())
    assert (seen.setup, seen.text) == ((), ())
    assert seen.count("better") == seen.count("worse") == seen.count("different") == 0


def test_better_one_way_is_worse_the_other_way() -> None:
    there, back = compare(passing(), failing()), compare(failing(), passing())
    assert there.count("worse") == back.count("better") > 0
    assert there.count("better") == back.count("worse") == 0
    assert marks(there)["adas p99_us"] == "worse"
    assert marks(there)["adas resets"] == "different"  # neither way is better


def test_noise_is_the_same_and_counts_have_none() -> None:
    def with_agent(p50: float, lost: int) -> RunResult:
        return passing(agents=(agent("ivi", 1, p50, indefinite=lost),))

    seen = marks(compare(with_agent(100.0, 100), with_agent(104.9, 101)))
    assert (seen["ivi p50_us"], seen["ivi indefinite"]) == ("same", "worse")
    assert marks(compare(with_agent(100.0, 0), with_agent(105.5, 0)))["ivi p50_us"] == "worse"


def test_a_domain_that_only_one_run_has_is_different() -> None:
    seen = marks(compare(passing(), huge(agents=1)))
    assert seen["ivi issued"] == seen["guest0 issued"] == "different"


def test_the_scenarios_texts_are_compared_by_line_and_bounded() -> None:
    seen = compare(
        passing(source="rate = 1\n"), passing(source="rate = 2\n", engine="local", knobs={"guests": 4})
    )
    assert {"-rate = 1", "+rate = 2"} <= set(seen.text)
    assert [row.what for row in seen.setup][:2] == ["engine", "knob guests"]
    long = "\n".join(str(one) for one in range(500))
    assert len(compare(passing(source=""), passing(source=long)).text) == 41
