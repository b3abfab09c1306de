"""``trapline replay``: a recorded run into fresh cores, and the first thing that they do otherwise."""

import sys
from pathlib import Path

import click
import msgspec
from rich.text import Text

from deploy.cli.options import json_option
from deploy.cli.output import console, count, say_error, say_json, table
from deploy.experiments.keeping.runs import Runs
from deploy.experiments.replaying.captured import replay_capture
from deploy.experiments.replaying.replay import Divergence, Replayed
from deploy.experiments.replaying.replay import replay as replayed
from deploy.tracing.capture import Capture


def run_folder(run: str) -> Path:
    """The folder that RUN means: a path, or the id of a past run. Raises UserError for an unknown id."""
    path = Path(run)
    return path if path.is_dir() else Path(Runs().get(run).folder)


@click.command()
@click.argument("run")
@json_option
def replay(run: str, as_json: bool) -> None:
    """Feed a recorded run into fresh cores and report the first divergence.

    RUN is a run's folder, its id as 'trapline runs list' shows it, or a capture that 'trapline trace --save'
    wrote from the beginning. Every node gets what it received, when
    it received it; what it sends is compared with what the others received, byte for byte, in order. Exit
    code 1 if a fresh core does otherwise.
    """
    path = Path(run)
    found = _capture(path) if path.is_file() else replayed(run_folder(run))
    if as_json:
        say_json(msgspec.to_builtins(found))
    elif found.divergence is None:
        console().print(Text(f"equal: {counts(found)}"))
    else:
        console().print(Text(f"different: {counts(found)}"))
        show(found.divergence)
    sys.exit(1 if found.divergence else 0)


def _capture(path: Path) -> Replayed:
    """Of a file; says if its end was cut off."""
    capture = Capture(path)
    found = replay_capture(capture)
    if capture.cut_bytes:
        say_error(f"{path}: ends within a packet; its {count(capture.cut_bytes)} bytes are left out")
    return found


def counts(found: Replayed) -> str:
    """How much was replayed, and of what nothing can be said."""
    told = [
        f"{count(found.rows)} rows of {count(found.nodes)} nodes",
        f"{count(found.messages)} messages and {count(found.notes)} notes compared",
    ]
    more = {
        "reached nobody": found.lost,
        "came twice": found.again,
        "overtook others": found.overtook,
        "under way at the end": found.under_way,
        "rows had no room in the record": found.truncated,
    }
    told += [f"{count(number)} {what}" for what, number in more.items() if number]
    if found.unplayed:
        told.append(f"not played: {', '.join(found.unplayed)}")
    return ", ".join(told)


def show(one: Divergence) -> None:
    way = f"{one.node} -> {one.peer}" if one.peer else one.node
    rows = [["when", f"{one.at_ns / 1e6:.6f} ms, row {one.row}"], ["who", way]]
    rows += [["recorded", one.recorded], ["fresh core", one.fresh]]
    rows += [["differs in", one.detail]] if one.detail else []
    console().print(table(None, ["", ""], rows))
