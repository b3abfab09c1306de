"""``--observe`` of commands that make a platform and end it themselves: what is seen stays a while longer."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from deploy.cli.observing import F, meant, observe_options, until_told, where_to_look
from deploy.cli.options import Number
from deploy.cli.output import console, say_error
from deploy.errors import UserError
from deploy.experiments.stages.building import LOCAL, SIM
from deploy.observability.observation import Observation
from deploy.observability.session import Tools, Wanted, tools
from deploy.rundir import given_path, usual_parent


def observe_run_options(command: F) -> F:
    """--observe-hold, after those of every command that observes."""
    hold = click.option(
        "--observe-hold",
        type=Number(min=0),
        metavar="SECONDS",
        help="With --observe: how long the dashboards stay after the end. Default: until Ctrl-C at a "
        "terminal.",
    )
    return observe_options(hold(command))


class Seeing:
    """Watches ``clusters()`` within ``over``; without ``wanted`` it does nothing.

    ``hold_s``: how long it stays when told to ``hold``; None: until Ctrl-C if somebody sits at a terminal.
    """

    def __init__(
        self, wanted: Wanted | None, clusters: Callable[[], Iterable[Path]], hold_s: float | None
    ) -> None:
        self._wanted = wanted
        self._found: Tools | None = tools(wanted) if wanted is not None else None
        self._clusters = clusters
        self._hold_s = hold_s
        self._seen: Observation | None = None

    def only_one(self) -> None:
        """UserError for several runs in several processes."""
        if self._wanted is not None:
            raise UserError(
                "--observe watches one run; leave out --repeat, or start 'trapline observe' in another "
                "terminal"
            )

    @property
    def targets(self) -> Path | None:
        """Where a scrape target of one's own is announced, while it watches."""
        return None if self._seen is None else self._seen.run.targets

    @contextmanager
    def over(self, engine: str = LOCAL) -> Iterator[None]:
        """While the body runs; raises UserError for an engine without processes."""
        if self._wanted is None or self._found is None:
            yield
            return
        if engine == SIM:
            raise UserError(
                "--observe: on virtual time there is no process to ask; add --engine local (or ray)"
            )
        with Observation(self._wanted, self._found, self._clusters) as self._seen:
            console(stderr=True).print(where_to_look(self._seen.session.urls()), "")
            yield

    def hold(self) -> None:
        """What was watched is over; the dashboards stay."""
        if self._seen is None:
            return
        if self._hold_s is None and not sys.stdout.isatty():
            return
        how_long = "" if self._hold_s is None else f" or for {self._hold_s:g} s"
        said = [f"The dashboards stay until Ctrl-C{how_long}."]

        def say_once() -> None:
            while said:
                print(said.pop(), file=sys.stderr, flush=True)

        lost = until_told(self._seen.session, self._hold_s, each=say_once)
        if lost:
            say_error(lost)


def _runs() -> Iterable[Path]:
    """This process' experiments."""
    given = given_path()
    return [given.absolute()] if given is not None else usual_parent().glob(f"run-{os.getpid()}-*")


def over_runs(
    observe: bool,
    port: int | None,
    alerts: bool,
    hold_s: float | None,
    clusters: Callable[[], Iterable[Path]] = _runs,
) -> Seeing:
    """What ``observe_run_options`` ask for. Raises UserError."""
    if hold_s is not None and not observe:
        raise UserError("--observe-hold goes with --observe; add it")
    return Seeing(meant(observe, port, alerts), clusters, hold_s)
