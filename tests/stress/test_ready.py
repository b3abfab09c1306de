"""Every ready scenario passes: on virtual time, and two that show load and crashes on real processes."""

import pytest

from deploy.experiments.describing.scenario import ready
from deploy.experiments.result import RunResult

SOAK_S = 15  # of the ten minutes that it takes by itself
pytestmark = [pytest.mark.stress, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    "_name",
    [pytest.param(name, marks=pytest.mark.scenario(name)) for name in sorted(ready()) if name != "soak"],
)
def test_on_the_engine_that_it_names(_name: str, scenario_run: RunResult) -> None:
    assert scenario_run.verdict == "pass", scenario_run.reason


@pytest.mark.scenario("soak", seconds=SOAK_S)
def test_the_soak_loses_nothing(scenario_run: RunResult) -> None:
    assert scenario_run.verdict == "pass", scenario_run.reason
    assert sum(one.issued for one in scenario_run.agents) > 10_000


@pytest.mark.scenario("el3-crash-under-load", engine="local")
def test_el3_crashes_as_a_process(scenario_run: RunResult) -> None:
    assert scenario_run.verdict == "pass", scenario_run.reason
