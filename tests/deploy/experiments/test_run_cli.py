"""``trapline run``: what it says, how it ends, what it keeps, what Ctrl-C leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from deploy.cli.run_live import Watching, quantile_us
from deploy.errors import UserError
from deploy.experiments.keeping.runs import Runs
from deploy.experiments.report import page, view
from deploy.experiments.result import RaceResult, RunResult
from deploy.experiments.stages.stage import Numbers
from nodes.metrics import LATENCY_BUCKETS_NS
from tests.deploy.commands import run
from tests.deploy.experiments.results import passing

TEXT = """title = "A try"
platform = { guests = 2 }
phases = { warm_up_ms = 2, faults_ms = 20, heal_ms = 10, drain_ms = 5 }

[[load]]
domains = "guests"
kind = "closed"
think_us = 300

[[fault]]
kind = "process.kill"
where = "guest0"
at_ms = 5

[[threshold]]
measure = "p99_us"
at_most = 5_000
"""


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRAPLINE_RUNS", str(tmp_path / "runs"))
    path = tmp_path / "try.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_run_says_its_verdict_first_and_keeps_everything(scenario: Path, tmp_path: Path) -> None:
    found = run("run", str(scenario), "--seed", "7")
    lines = found.output.splitlines()
    assert found.exit_code == 0
    assert lines[0] == "PASS  A try"
    assert any(line.startswith("seed 7: trapline run ") for line in lines)
    assert [line for line in lines[:-2] if len(line) > 80 and str(tmp_path) not in line] == []
    (kept,) = Runs().list()
    assert kept.seed == 7
    assert {one.name for one in Path(kept.folder).iterdir()} >= {
        "report.json", "report.html", "frames.parquet", "history.parquet", "run.json",
    }  # fmt: skip


def test_a_threshold_that_does_not_hold_ends_with_1(scenario: Path) -> None:
    scenario.write_text(TEXT.replace("5_000", "1"), encoding="utf-8")
    found = run("run", str(scenario), "--no-report")
    assert found.exit_code == 1
    assert found.output.startswith("FAIL  A try\np99_us in faults at most 1: it was ")


def test_json_is_the_whole_result(scenario: Path, tmp_path: Path) -> None:
    found = run("run", str(scenario), "--json", "--out", str(tmp_path / "kept"), "--no-report")
    result = msgspec.json.decode(found.output, type=RunResult)
    assert result.verdict == "pass"
    assert not (tmp_path / "kept" / "report.html").exists()
    assert msgspec.json.decode((tmp_path / "kept" / "report.json").read_bytes(), type=RunResult) == result


def test_seeds_in_a_row_side_by_side(scenario: Path) -> None:
    found = run("run", str(scenario), "--repeat", "3", "-j", "2", "--seed", "5", "--no-report")
    assert found.exit_code == 0
    assert found.output.startswith("PASS  A try: 3 seeds, 3 pass\n")
    assert sorted(one.seed for one in Runs().list()) == [5, 6, 7]
    scenario.write_text(TEXT.replace("5_000", "1"), encoding="utf-8")
    found = run("run", str(scenario), "--repeat", "2", "--no-report")
    assert found.exit_code == 1
    assert "seed 1: p99_us" in found.output


def test_faults_can_be_chosen(scenario: Path) -> None:
    assert "process.kill" in run("run", str(scenario), "--no-report").output
    none = run("run", str(scenario), "--no-report", "--faults", "none")
    assert "process.kill" not in none.output
    assert "--faults none" in none.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--engine", "cluster"), "there are sim"),
        (("--faults", "a"), "give numbers"),
        (("--seed", str(2**63 - 1), "--repeat", "2"), "begin lower"),
    ],
)
def test_a_wrong_command_line_is_told_and_nothing_is_made(
    scenario: Path, words: tuple[str, ...], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        run("run", str(scenario), *words)
    assert not Runs().list()
    assert not Runs().unfinished()


def test_a_wrong_platform_leaves_no_folder(scenario: Path) -> None:
    scenario.write_text(TEXT.replace('"guest0"', '"guest7"'), encoding="utf-8")
    with pytest.raises(UserError, match=r"try.toml:12: fault\[0\].where: .* no domain 'guest7'"):
        run("run", str(scenario))
    assert not Runs().unfinished()


def test_another_firmware_is_not_expected_to_have_the_defects_of_the_one_the_file_names(
    scenario: Path,
) -> None:
    known = TEXT.replace("guests = 2 }", 'guests = 2, firmware = "scp-firmware" }')
    scenario.write_text(known.replace("platform", 'known = ["reset"]\nplatform', 1), encoding="utf-8")
    found = run("run", str(scenario), "--no-report", "--firmware", "spec-strict", "--profile", "v9")
    assert found.exit_code == 0
    assert "--firmware spec-strict --profile v9 --seed 1" in found.output.replace("\n", " ")
    with pytest.raises(UserError, match="no firmware profile 'nobody'"):
        run("run", str(scenario), "--firmware", "nobody")


def test_without_a_name_it_tells_what_comes_with_trapline() -> None:
    for words in (("run",), ("run", "--list")):
        assert "wedge-and-hand-over  Wedge and hand-over\n" in run(*words).output
    assert "hello" in msgspec.json.decode(run("run", "--list", "--json").output)


def test_races_are_a_table_with_the_order_that_broke(scenario: Path) -> None:
    races = (
        RaceResult("destroy", "fast", 6, 1, True),
        RaceResult("reboot", "slow", 2, 0, False, True, ("a",)),
    )
    text = TEXT.partition("[[load]]")[0] + '[explore]\noperations = ["destroy"]\n'
    scenario.write_text(text, encoding="utf-8")
    shown = run("run", str(scenario)).output
    assert "destroy    fast" in shown
    assert "calls issued" not in shown
    made = view.races(msgspec.structs.replace(passing(), races=races))
    assert [row[-1].text for row in made.rows] == ["held", "broke"]
    assert "<li>a</li>" in page.render(msgspec.structs.replace(passing(), races=races, slices=()))


def test_ctrl_c_leaves_nothing(scenario: Path, tmp_path: Path) -> None:
    scenario.write_text(TEXT.replace("faults_ms = 20", "faults_ms = 60_000_000"), encoding="utf-8")
    command = [sys.executable, "-m", "deploy.entry", "run", str(scenario)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        made = tmp_path / "runs"
        while not list(made.glob("*/frames.parquet")):
            assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.strip() == "trapline: interrupted"
    assert not list(made.glob("*/"))


def test_the_live_table_fits_and_counts_by_the_runs_own_time() -> None:
    latency = tuple([0] * 5 + [90] + [10] + [0] * (len(LATENCY_BUCKETS_NS) - 6))
    one = Numbers("guest0", 0, 1, 100, 3, 1, 0, latency)
    watching = Watching()
    watching.screen(1_000_000_000, [one])
    later = msgspec.structs.replace(one, answered=600)
    table = watching._table(2_000_000_000, [later])
    cells = {str(column.header): list(column.cells) for column in table.columns}
    assert [str(cell) for cell in cells["calls/s"]] == ["500"]
    assert quantile_us(latency, 0.5) == LATENCY_BUCKETS_NS[5] / 1e3
    assert quantile_us((), 0.5) == 0.0
    assert len(watching.screen(0, [one] * 30).renderables) == 4
