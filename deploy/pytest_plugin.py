"""Trapline in your own tests: a platform per test, scenarios with verdicts, objectives as marks.

    import pytest

    @pytest.mark.platform(engine="sim")  # or "local": real processes
    def test_a_foreign_clock_is_denied(testbed):
        reply = testbed.call("tcu", "clock.CLOCK_RATE_SET", flags=0, clock_id=6, rate=400_000_000)
        assert reply.status == "DENIED"

    @pytest.mark.scenario("noisy-neighbour", seed=7)
    @pytest.mark.slo("p99_us", domain="cluster", at_most=900)
    def test_the_cluster_does_not_notice(scenario_run):
        assert scenario_run.verdict == "pass", scenario_run.reason

Safe under pytest-xdist: each test has its own platform, run directory and folder. When a test fails whose
scenario ran, its report is named in the failure. Nothing of Trapline is imported before a test asks for it.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MARKS = (
    "platform(name='automotive', *, guests=0, shared=1, host_dt=(), platform=None, xl=(), firmware=None, "
    "xen='v11', engine='sim', seed=1, pages='carried', work=False): what `testbed` boots",
    "scenario(name_or_file, *, seed=None, engine=None, seconds=None): what `scenario_run` runs",
    "slo(measure, *, domain='', phase='faults', at_most=None, at_least=None, times_solo=False): "
    "an objective that `scenario_run` is held to, beside those of its file",
)
RAN = pytest.StashKey[list[Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """--trapline-reports."""
    parser.getgroup("trapline").addoption(
        "--trapline-reports",
        metavar="DIR",
        help="Where histories and reports of scenarios go. Default: below pytest's own temporary folder.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marks, so that --strict-markers knows them."""
    for mark in MARKS:
        config.addinivalue_line("markers", mark)


def _tools() -> Any:
    return importlib.import_module("deploy.experiments.testing")


def _words(mark: pytest.Mark | None, first: str) -> dict[str, Any]:
    """A mark's words by name; the one without a name is ``first``."""
    if mark is None:
        return {}
    return {**({first: mark.args[0]} if mark.args else {}), **mark.kwargs}


@pytest.fixture
def testbed(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A platform of the test's own, booted: ``deploy.experiments.testbed.Testbed``; see the mark
    `platform`.
    """
    with _tools().testbed_of(_words(request.node.get_closest_marker("platform"), "name")) as bed:
        yield bed


@pytest.fixture
def scenario_run(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The result of the test's scenario, a ``RunResult``; see the marks `scenario` and `slo`."""
    words = _words(request.node.get_closest_marker("scenario"), "scenario")
    if "scenario" not in words:
        pytest.fail("scenario_run needs a mark: @pytest.mark.scenario(NAME or FILE)", pytrace=False)
    root = request.config.getoption("--trapline-reports")
    objectives = [_words(mark, "measure") for mark in request.node.iter_markers("slo")]
    ran = _tools().run_scenario(words["scenario"], objectives, Path(root) if root else tmp_path, words)
    request.node.stash.setdefault(RAN, []).append(ran)
    return ran[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """When a test fails whose scenario ran: write the report, and name it in the failure."""
    report = yield
    if report.when == "call" and report.failed:
        for ran in item.stash.get(RAN, []):
            report.sections.append(("trapline", _tools().told(ran)))
    return report
