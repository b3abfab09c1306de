"""``trapline diff``: two recorded runs compared by what they mean."""

import sys

import click
import msgspec
from rich.text import Text

from deploy.cli.options import json_option
from deploy.cli.output import console, count, microseconds, say_json, table
from deploy.cli.replay import run_folder
from deploy.experiments.replaying.diff import QUANTILES, Fact, Quantiles, RunDifference, compare


@click.command()
@click.argument("run_a", metavar="RUN_A")
@click.argument("run_b", metavar="RUN_B")
@json_option
def diff(run_a: str, run_b: str, as_json: bool) -> None:
    """Compare two recorded runs by what they mean.

    RUN_A and RUN_B are folders of runs, or their ids. Compared are, domain by domain, calls with their
    arguments and outcomes, permissions, resets and lives; when they happened does not count, nor what was
    read. Latency is shown beside it. Exit code 1 if anything differs.
    """
    found = compare(run_folder(run_a), run_folder(run_b))
    if as_json:
        say_json(msgspec.to_builtins(found))
    else:
        show(found)
    sys.exit(0 if found.same else 1)


def show(found: RunDifference) -> None:
    """The verdict, what parts where, counts that differ, latency side by side."""
    out = console()
    out.print(Text(f"{'same' if found.same else 'different'}\nA  {found.a}\nB  {found.b}\n"))
    rows = [
        [one.subject, one.aspect, count(one.a), count(one.b), "same" if one.same else "different"]
        for one in found.sequences
    ]
    out.print(table(None, ["whose", "what", "A", "B", ""], rows, numbers=(2, 3)))
    for parting in found.partings:
        out.print(Text(f"\n{parting.subject}: {parting.aspect} part at number {parting.index + 1}"))
        sides = [["A", *_told(parting.a)], ["B", *_told(parting.b)]]
        out.print(table(None, ["", "ms", ""], sides, numbers=(1,)))
    if found.outcomes:
        out.print(Text("\nhow calls ended, where that differs"))
        counts = [[one.domain, one.outcome, count(one.a), count(one.b)] for one in found.outcomes]
        out.print(table(None, ["", "", "A", "B"], counts, numbers=(2, 3)))
    if found.latency:
        out.print(Text("\nlatency in microseconds, from the intended start"))
        heads = [f"{side} p{part * 100:g}" for part in QUANTILES for side in "AB"]
        times = [[one.domain, *_microseconds(one)] for one in found.latency]
        out.print(table(None, ["", *heads], times, numbers=tuple(range(1, len(heads) + 1))))


def _microseconds(one: Quantiles) -> list[str]:
    return [microseconds(value or 0.0) for pair in zip(one.a, one.b, strict=True) for value in pair]


def _told(fact: Fact | None) -> tuple[str, str]:
    return ("", "nothing more") if fact is None else (f"{fact.at_ns / 1e6:.3f}", fact.text)
