"""The pytest plugin, used as a stranger would: the example of its docstring, failures with reports, xdist."""

import inspect
import textwrap
from pathlib import Path

import pytest

import deploy.experiments.testing  # noqa: F401 - pytester forgets what is imported during a run in this process
from deploy import pytest_plugin

pytest_plugins = ["pytester"]
SMALL = """
title = "Small"
[platform]
guests = 2
[[load]]
domains = "guests"
kind = "closed"
think_us = 500
[phases]
warm_up_ms = 5
faults_ms = 30
heal_ms = 10
drain_ms = 50
"""


@pytest.fixture
def pytester(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makefile(".toml", small=SMALL)
    return pytester


def run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(
        "-p", "deploy.pytest_plugin", "-p", "no:cacheprovider", "--strict-markers", *words
    )


def test_the_example_of_the_docstring_passes(pytester: pytest.Pytester) -> None:
    shown = textwrap.dedent(inspect.getdoc(pytest_plugin).partition("\n\n")[2].partition("\nSafe under")[0])  # type: ignore[union-attr]
    assert len(shown.strip().splitlines()) <= 12
    example = shown.replace('"noisy-neighbour", seed=7', '"small.toml", seed=7').replace(
        'domain="cluster", at_most=900', 'domain="guest0", at_most=9000'
    )
    pytester.makepyfile(example)
    run(pytester).assert_outcomes(passed=2)


def test_a_missed_objective_is_told_with_its_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.scenario("small.toml")
        @pytest.mark.slo("p99_us", domain="guest0", at_most=0.001)
        def test_too_much_is_asked(scenario_run):
            assert scenario_run.verdict == "pass", scenario_run.reason
        """
    )
    done = run(pytester, "--trapline-reports", "kept")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["*trapline*", "fail: *", "report: *kept*report.html", "replay: trapline run *"]
    )
    (page,) = Path(pytester.path / "kept").glob("*/report.html")
    assert "guest0" in page.read_text(encoding="utf-8")


def test_a_test_that_passes_writes_no_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.scenario("small.toml")
        def test_fine(scenario_run):
            assert scenario_run.verdict == "pass", scenario_run.reason
        """
    )
    run(pytester, "--trapline-reports", "kept").assert_outcomes(passed=1)
    assert list(Path(pytester.path / "kept").glob("*/report.json"))
    assert not list(Path(pytester.path / "kept").glob("*/report.html"))


@pytest.mark.parametrize(
    ("mark", "fixture", "told"),
    [
        ("pytest.mark.platform(guest=3)", "testbed", "mark platform: *guest*"),
        ('pytest.mark.platform(engine="cloud")', "testbed", "there is no engine 'cloud'*"),
        ("pytest.mark.slow", "scenario_run", "*scenario_run needs a mark*"),
        ('pytest.mark.scenario("none-such")', "scenario_run", "*none-such*"),
    ],
)
def test_a_wrong_mark_is_one_error(pytester: pytest.Pytester, mark: str, fixture: str, told: str) -> None:
    pytester.makeini("[pytest]\nmarkers =\n    slow: of the test's own")
    pytester.makepyfile(f"import pytest\n@{mark}\ndef test_it({fixture}): pass\n")
    done = run(pytester)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([f"*{told}*"])


def test_platforms_do_not_meet_under_xdist(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("seed", range(4))
        @pytest.mark.platform("automotive", work=True)
        def test_a_crash_resets_the_agent(testbed, seed):
            testbed.run(0.01)
            testbed.kill("ivi")
            testbed.wait_for("ivi", "reset")
            testbed.wait_for("ivi", "running")
            assert testbed.domains["ivi"].incarnation == 2
            assert testbed.ledger("ivi").reset.leaks == ()
        """
    )
    done = pytester.runpytest_subprocess("-p", "deploy.pytest_plugin", "-n", "2", "-q")
    done.assert_outcomes(passed=4)


@pytest.mark.platform(engine="local", guests=2)
def test_real_processes_answer_too(testbed):  # type: ignore[no-untyped-def]
    assert testbed.call("guest0", "clock.CLOCK_RATE_GET", clock_id=0).value.rate == 100
    assert testbed.call("guest0", "clock.CLOCK_RATE_SET", flags=0, clock_id=1, rate=200).status == "DENIED"
    assert testbed.trap("guest0", 0x8200_0003)[0] == 2**64 - 1
    testbed.kill("guest1")
    testbed.wait_for("guest1", "dead")
    testbed.wait(lambda: testbed.domains.get("guest1") is not None)
    assert sum(testbed.counters("trapline_agent_resets_total")["xen"].values()) == 1
