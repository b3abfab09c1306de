"""``trapline observe``: Prometheus and the dashboards for every cluster of this user, without a platform."""

from collections.abc import Iterator
from pathlib import Path

import click

from deploy.cli.observing import until_told, where_to_look
from deploy.cli.options import json_option
from deploy.cli.output import console, say_json
from deploy.observability.gathering import CLUSTERS
from deploy.observability.observation import Observation
from deploy.observability.session import PORT_MAX, Wanted, tools
from deploy.rundir import given_path, usual_parent
from deploy.toolstack import ToolstackError


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, PORT_MAX),
    help="The dashboards' port; Prometheus has the next one. 0: any. Default: 9464, or any if it is taken.",
)
@click.option("--alerts", is_flag=True, help="Start Alertmanager too.")
@json_option
def observe(port: int | None, alerts: bool, as_json: bool) -> None:
    """Watch all clusters of yours that run, and those to come.

    Starts Prometheus and the dashboards, on loopback; Ctrl-C ends them and leaves nothing. Clusters in
    folders of their own (--run-dir) are not found, but the one that $TRAPLINE_RUN_DIR names is.
    """
    wanted = Wanted(port, alerts)
    with Observation(wanted, tools(wanted), everybody) as seen:
        if as_json:
            say_json({"observe": seen.session.urls(), "clusters": sorted(map(str, seen.gathering.seen))})
        else:
            console().print(where_to_look(seen.session.urls()))
            click.echo("\nCtrl-C ends it.")
        shown: dict[Path, int] = {}

        def tell() -> None:
            if not as_json:
                _tell(shown, seen)

        lost = until_told(seen.session, each=tell)
    if lost:
        raise ToolstackError(lost)


def everybody() -> Iterator[Path]:
    """Run directories of this user."""
    given = given_path()
    if given is not None:
        yield given.absolute()
    yield from usual_parent().glob("*/")


def _tell(shown: dict[Path, int], seen: Observation) -> None:
    """A line for each cluster that came or went."""
    now = dict(seen.gathering.seen)
    for path in sorted(now.keys() - shown.keys()):
        click.echo(f"+ {path.name}  {path}")
    for path in sorted(shown.keys() - now.keys()):
        click.echo(f"- {path.name}")
    if seen.gathering.left_out and len(shown) < CLUSTERS:
        click.echo(f"{seen.gathering.left_out} clusters beyond {CLUSTERS} are not watched")
    shown.clear()
    shown.update(now)
