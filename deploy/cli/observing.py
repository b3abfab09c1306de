"""What commands that observe share: their options, and where to look, in words."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click
import msgspec
from rich.text import Text

from deploy.cli.following import ENDING
from deploy.cli.output import table
from deploy.errors import UserError
from deploy.metrics.access import Access
from deploy.observability.assets import folder
from deploy.observability.session import PORT_MAX, Session, Wanted, tools
from deploy.rundir import RunDirectory

F = TypeVar("F", bound=Callable[..., Any])
TITLES = {"page": "dashboards", "prometheus": "Prometheus", "alertmanager": "Alertmanager"}
FIRST = "overview"
TURN_S: Final = 0.25


class Dashboard(msgspec.Struct, frozen=True):
    """What is read of a dashboard's file."""

    uid: str
    title: str


def observe_options(command: F) -> F:
    """--observe, --observe-port, --alerts."""
    for option in (
        click.option("--alerts", is_flag=True, help="With --observe: start Alertmanager too."),
        click.option(
            "--observe-port",
            type=click.IntRange(0, PORT_MAX),
            metavar="PORT",
            help="With --observe: the dashboards' port; Prometheus has the next one. 0: any.",
        ),
        click.option("--observe", is_flag=True, help="Start Prometheus and dashboards, on loopback."),
    ):
        command = option(command)
    return command


def dashboards() -> list[Dashboard]:
    """Those that there are, the overview first."""
    files = (folder() / "dashboards").glob("*.json")
    ordered = sorted(files, key=lambda file: (file.stem != FIRST, file.stem))
    return [msgspec.json.decode(file.read_bytes(), type=Dashboard) for file in ordered]


def where_to_look(urls: Mapping[str, str]) -> Any:
    """A table of the addresses, with one for each dashboard."""
    rows: list[list[str | Text]] = []
    for name, url in urls.items():
        rows.append([TITLES.get(name, name), Text(url, "link " + url)])
        if name == "page":
            rows += [[f"  {one.title}", f"{url}/d/{one.uid}"] for one in dashboards()]
    return table(None, ["observed with", ""], rows)


def beside(
    run: RunDirectory, observe: bool, port: int | None, alerts: bool, metrics: Access
) -> Session | None:
    """What the options want beside the platform in ``run``. Raises UserError; starts nothing."""
    wanted = meant(observe, port, alerts)
    if wanted is None:
        return None
    wanted = msgspec.structs.replace(wanted, scrape=metrics.scrape_settings())
    return Session(wanted, tools(wanted), run.observe, "../sd/*.json", ["--run-dir", str(run.path)])


def meant(observe: bool, port: int | None, alerts: bool) -> Wanted | None:
    """What the options mean; UserError for one that means nothing without --observe."""
    if observe:
        return Wanted(port, alerts)
    if port is not None or alerts:
        raise UserError("--observe-port and --alerts go with --observe; add it")
    return None


def until_told(
    session: Session, seconds: float | None = None, each: Callable[[], None] = lambda: None
) -> str | None:
    """Wait for Ctrl-C, SIGTERM or SIGHUP, or so long; ``each`` is called now and then.

    What is lost if Prometheus or another of them ended before, else None.
    """
    over = threading.Event()
    before = {number: signal.signal(number, lambda _number, _frame: over.set()) for number in ENDING}
    deadline = None if seconds is None else time.monotonic() + seconds
    lost: list[tuple[str, str]] = []
    try:
        while not lost:
            each()
            left = TURN_S if deadline is None else min(TURN_S, deadline - time.monotonic())
            if left <= 0 or over.wait(left):
                return None
            lost = session.losses()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    name, how = lost[0]
    return f"{TITLES[name]}: its process ended: {how}"
