"""What the pytest plugin does once a test asks for it: marks to platforms, scenarios to results and reports.

``deploy.pytest_plugin`` imports this late, so that tests that never ask pay nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from deploy.errors import UserError
from deploy.experiments import conductor, report
from deploy.experiments.describing import problems
from deploy.experiments.describing.boards import boards_of
from deploy.experiments.describing.scenario import PlatformChoice, Scenario, Threshold
from deploy.experiments.keeping import folders
from deploy.experiments.keeping.runs import REPORT
from deploy.experiments.keeping.session import lasting
from deploy.experiments.result import RunResult
from deploy.experiments.testbed import Testbed

S = TypeVar("S", bound=msgspec.Struct)
Ran = tuple[RunResult, Path]  # a result and its folder
SETTINGS = ("engine", "seed", "pages", "work")  # of the testbed; the rest is of the platform


def testbed_of(words: Mapping[str, Any]) -> Testbed:
    """The platform that a mark's words describe, as a scenario's [platform] would; not booted yet."""
    settings = {key: words[key] for key in SETTINGS if key in words}
    choice = _convert("platform", {key: words[key] for key in words if key not in SETTINGS}, PlatformChoice)
    return Testbed(boards_of(Scenario("test", platform=choice), Path.cwd())[0], **settings)


def run_scenario(
    name: str, objectives: Sequence[Mapping[str, Any]], root: Path, words: Mapping[str, Any]
) -> Ran:
    """Run a scenario, held to its own thresholds and to these; its history and result are kept below
    ``root``.
    """
    described, path, text = problems.read(name)
    wanted = tuple(_convert("slo", one, Threshold) for one in objectives)
    described = msgspec.structs.replace(described, threshold=(*described.threshold, *wanted))
    described = lasting(described, words.get("seconds"))
    problems.check(described, path)
    seed = words.get("seed", described.seed)
    folder = folders.new_folder(described.title, seed, root)
    source = conductor.Origin(path, text)
    result = conductor.run(described, seed, words.get("engine", ""), folder=folder, source=source)
    folders.save(result, folder)
    return result, folder


def _convert(mark: str, words: Mapping[str, Any], kind: type[S]) -> S:
    try:
        return msgspec.convert(dict(words), kind)
    except msgspec.ValidationError as error:
        there = ", ".join(kind.__struct_fields__)
        raise UserError(f"mark {mark}: {error}; it takes {there}") from None


def told(ran: Ran) -> str:
    """Write the report of a run; gives what to say in its test's failure."""
    result, folder = ran
    page = folder / REPORT
    report.write(result, page)
    return f"{result.verdict}: {result.reason}\nreport: {page}\nreplay: {result.command}"
