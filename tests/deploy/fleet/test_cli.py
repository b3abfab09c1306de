"""``trapline fleet``: what it says, how it ends, what Ctrl-C leaves, what the fleet tells Prometheus."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from deploy.cli.fleet_screen import Pace, Screen, duration
from deploy.errors import UserError
from deploy.fleet import page
from deploy.fleet.coordinator import Fleet, read
from deploy.fleet.ledger import Died, Given, Refused
from deploy.fleet.merging import FleetResult
from deploy.fleet.plan import jobs
from deploy.fleet.telling import Telling, served
from deploy.metrics.exposition import Page
from tests.deploy.commands import run
from tests.deploy.fleet.fleets import FAILING, SMALL, done, plan, scenario


def test_a_fleet_says_its_verdict_first_and_leaves_a_report(tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = run("fleet", "run", scenario(tmp_path), "--platforms", "3", "--out", str(out), "-j", "2")
    assert found.exit_code == 0
    assert "PASS  Small: 3 platforms, 3 pass" in found.output
    assert {one.name for one in out.iterdir()} == {"fleet.ledger", "lock", "report.html", "report.json"}
    kept = msgspec.json.decode((out / "report.json").read_bytes(), type=FleetResult)
    assert kept.merged == read(out).result().merged
    assert (out / "report.html").read_text(encoding="utf-8") == page.render(read(out).result())
    shown = run("fleet", "show", str(out)).output
    assert shown.startswith("PASS  Small: 3 platforms, 3 pass")
    assert [line for line in shown.splitlines() if len(line) > 80 and str(tmp_path) not in line] == []


def test_one_that_fails_is_told_with_its_command_and_exit_code_1(tmp_path: Path) -> None:
    path = scenario(tmp_path, FAILING)
    words = ("fleet", "run", path, "--out", str(tmp_path / "out"), "--keep", "none", "--matrix", "seed=1..2")
    found = run(*words)
    assert found.exit_code == 1
    assert f"\n  trapline run {path} --seed 2 --engine sim\n" in found.output
    as_data = run("fleet", "show", str(tmp_path / "out"), "--json").output
    assert msgspec.json.decode(as_data)["verdict"] == "fail"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give SCENARIO, or --resume"),
        (("--resume", "--platforms", "3"), "--platforms: give SCENARIO with it"),
        (("--resume", "--keep", "failed"), "--keep: give SCENARIO with it"),
        (("hello", "--observe-hold", "1"), "--observe-hold goes with --observe"),
        (("hello", "--alerts"), "go with --observe"),
        (("hello", "--stage", "moon"), "--stage moon"),
        (("no-such-scenario",), "no-such-scenario"),
        (("hello", "--platforms", "3", "--matrix", "seed=1"), "the matrix has 1"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_made(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        run("fleet", "run", *words, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_it_in_order_and_says_the_line_that_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["fleet", "run", scenario(tmp_path, FAILING), "--platforms", "60", "--keep", "none"]
    begin = [sys.executable, "-m", "deploy.entry"]
    with subprocess.Popen(
        [*begin, *words, "--out", str(out), "-j", "2"], stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("fail"):
                break
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait() == 130
    line = next(line for line in said.splitlines() if line.startswith("trapline fleet run"))
    assert line.endswith("-j 2")
    states = read(out).book.states()
    assert 0 < states["fail"] < 60
    again = subprocess.run([*begin, *shlex.split(line)[1:]], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert read(out).book.states()["fail"] == 60
    assert "in 2 sittings" in again.stdout


def test_the_screen_fits_80_columns_and_24_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    asked = plan(tmp_path, "seconds=" + ",".join(str(one) for one in range(1, 31)) + ",seed=1..3")
    fleet = Fleet(asked, jobs(asked))
    for job in range(20):
        fleet.see(Given(job, 1))
        fleet.see(done(job, verdict="fail" if job % 3 else "pass"))
    screen = Screen(fleet, 4, quiet=False)
    with screen._out.capture() as captured:
        screen._out.print(screen.screen(1.0))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 20
    assert any("7 pass" in line and "13 fail" in line and "70 waiting" in line for line in lines)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (3660, "1 h 01 min")],
)
def test_how_long(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_the_pace_is_of_the_last_while() -> None:
    pace = Pace()
    assert pace.see(0.0, 0) == 0.0
    assert pace.see(10.0, 20) == 2.0
    assert pace.see(20.0, 20) == 1.0
    assert pace.see(60.0, 220) == pytest.approx(4.0)


def test_the_report_shows_what_did_not_pass_and_lets_no_text_out(tmp_path: Path) -> None:
    asked = plan(tmp_path, "seed=1..3", text=SMALL.replace("Small", "A <script>alert(1)</script>"))
    fleet = Fleet(asked, jobs(asked))
    for job in range(2):
        fleet.see(Given(job, 1))
    fleet.see(done(0, verdict="error"))
    fleet.see(Died(1, 1, "<b>killed</b>", final=True))
    made = page.render(fleet.result())
    assert "<script>alert" not in made
    assert "&lt;b&gt;killed" in made
    assert "Failed" in made
    assert 'aria-label="1 error, 1 lost, 1 without a result"' in made


def test_what_the_fleet_tells_is_what_its_ledger_says(tmp_path: Path) -> None:
    asked = plan(tmp_path, "profile=v9,v11,seed=1..2")
    fleet = Fleet(asked, jobs(asked))
    fleet.see(Given(0, 1))
    fleet.see(done(0))
    telling = Telling(fleet.book, fleet.jobs)
    news = (Given(1, 1), Given(2, 1), Died(1, 1, "killed"), Refused(1, 1), done(2, verdict="fail"))
    for record in news:
        fleet.see(record)
    telling.told(news)
    text = Page(telling.meters).own().splitlines()
    for line in (
        'trapline_fleet_jobs{state="waiting"} 2.0',
        'trapline_fleet_jobs{state="running"} 0.0',
        'trapline_fleet_jobs{state="pass"} 1.0',
        'trapline_fleet_results_total{cell="profile=v9",verdict="pass"} 1.0',
        'trapline_fleet_results_total{cell="profile=v9",verdict="fail"} 1.0',
        'trapline_fleet_results_total{cell="profile=v11",verdict="lost"} 0.0',
        "trapline_fleet_attempts_total 3.0",
        "trapline_fleet_workers_lost_total 1.0",
        "trapline_fleet_results_refused_total 1.0",
    ):
        assert line in text
    out = tmp_path / "out"
    out.mkdir()
    with served(telling, asked, out, None, 0) as target:
        (group,) = msgspec.json.decode((out / "sd" / "fleet.json").read_bytes())
        assert group["targets"] == [target]
        assert group["labels"] == {
            "job": "trapline", "process": "fleet", "role": "fleet", "cluster": "out", "experiment": "small",
        }  # fmt: skip
    assert not (out / "sd").exists()
