"""One run with everything that is kept of it: a folder, the result, the report, a row in the list of runs.

What is not finished is removed: after Ctrl-C nothing is left. It prints nothing.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from deploy.errors import UserError
from deploy.experiments import conductor, report
from deploy.experiments.conductor import Origin
from deploy.experiments.describing import problems
from deploy.experiments.describing.scenario import Scenario
from deploy.experiments.keeping import folders
from deploy.experiments.keeping.runs import REPORT, RESULT, Runs
from deploy.experiments.leading import Progress, Watch
from deploy.experiments.result import RunResult
from deploy.experiments.searching.vary import vary
from deploy.topology import firmware_profile


class Job(msgspec.Struct, frozen=True):
    """What to run and where to keep it. ``keep``: the planned faults to leave in, None for all."""

    scenario: Scenario
    seed: int
    engine: str
    source: Origin
    folder: Path
    page: bool = True
    keep: tuple[int, ...] | None = None


def prepare(
    name: str | Path,
    seed: int | None = None,
    engine: str = "",
    *,
    out: Path | None = None,
    page: bool = True,
    keep: tuple[int, ...] | None = None,
    drawn: bool = False,
    seconds: float | None = None,
    firmware: str = "",
    xen: str = "",
) -> Job:
    """A job for the scenario of that name or file, with a folder of its own. Raises UserError.

    ``drawn``: let the swarm's dice make another scenario of it first, from the seed. ``seconds``: how long
    the faults phase is, ``firmware``, ``xen``: what EL3 and Xen's driver are, instead of what the scenario
    says.
    """
    scenario, seed, source = scene(name, seed, drawn=drawn, seconds=seconds, firmware=firmware, xen=xen)
    folder = folders.given_folder(out) if out else folders.new_folder(scenario.title, seed)
    return Job(scenario, seed, engine or scenario.engine, source, folder.absolute(), page, keep)


def scene(
    name: str | Path,
    seed: int | None = None,
    *,
    drawn: bool = False,
    seconds: float | None = None,
    firmware: str = "",
    xen: str = "",
) -> tuple[Scenario, int, Origin]:
    """The scenario as the words change it, its seed, and where it is from. Raises UserError."""
    scenario, path, text = problems.read(name)
    scenario = playing(lasting(scenario, seconds), firmware, xen)
    problems.check(scenario, path)
    seed = scenario.seed if seed is None else seed
    if drawn:
        scenario = vary(scenario, seed)
    return scenario, seed, Origin(path, text, drawn, _said(seconds, firmware, xen))


def fault_numbers(text: str | None) -> tuple[int, ...] | None:
    """Which planned faults to leave in: "3,7", "none"; None: all. Raises UserError."""
    if text is None:
        return None
    if text == "none":
        return ()
    try:
        return tuple(int(one) for one in text.split(","))
    except ValueError:
        raise UserError(f"--faults {text}: give numbers as in '3,7', or 'none'") from None


def _said(seconds: float | None, firmware: str, xen: str) -> str:
    """What the command line says otherwise than the file."""
    given = {"--seconds": "" if seconds is None else f"{seconds:g}", "--firmware": firmware, "--profile": xen}
    return "".join(f" {option} {value}" for option, value in given.items() if value)


def playing(scenario: Scenario, firmware: str, xen: str) -> Scenario:
    """The scenario on another firmware or version of Xen's driver; "": as it is.

    What is known of the one that the file names is not known of another. Raises UserError.
    """
    if not firmware and not xen:
        return scenario
    if firmware:
        firmware_profile(firmware)
    choice = scenario.platform
    choice = msgspec.structs.replace(choice, firmware=firmware or choice.firmware, xen=xen or choice.xen)
    same = choice == scenario.platform
    return msgspec.structs.replace(scenario, platform=choice, known=scenario.known if same else ())


def lasting(scenario: Scenario, seconds: float | None) -> Scenario:
    """The scenario with a faults phase of that length; None: as it is."""
    if seconds is None:
        return scenario
    phases = msgspec.structs.replace(scenario.phases, faults_ms=seconds * 1000)
    return msgspec.structs.replace(scenario, phases=phases)


def carry_out(job: Job, progress: Progress | None = None, watch: Watch | None = None) -> RunResult:
    """Run it and keep what there is to keep; raises UserError, then nothing is kept."""
    with finished_or_gone(job.folder):
        result = conductor.run(
            job.scenario,
            job.seed,
            job.engine,
            folder=job.folder,
            source=job.source,
            progress=progress,
            watch=watch,
            keep=job.keep,
        )
        keep(result, job.folder, page=job.page)
        Runs().add(result, job.folder)
    return result


def keep(result: RunResult, folder: Path, *, page: bool) -> None:
    """The result, and its report if there is to be a ``page``, in the run's folder. Raises UserError."""
    try:
        if page:
            report.write(result, folder / REPORT)
        folders.save(result, folder)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; give a folder with room with --out") from None


@contextmanager
def finished_or_gone(*made: Path) -> Iterator[None]:
    """Whatever ends this early, folders without a result are removed."""
    try:
        yield
    finally:
        for folder in made:
            if not (folder / RESULT).exists():
                shutil.rmtree(folder, ignore_errors=True)
