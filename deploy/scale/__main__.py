"""``python -m deploy.scale``: the table of SCALE.md, measured on this machine as it is now."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from deploy.scale import measuring
from deploy.scale.measuring import Measured
from nodes.limits import DOMAINS

MIB: Final = 1 << 20
COLUMNS: Final = (
    "", "platforms", "domains", "answered", "up s", "ms/domain", "down s", "PSS MiB", "MiB/domain", "fds",
    "most", "ports", "run dir KiB", "idle % of a core", "CPU us/call",
)  # fmt: skip


def cells(one: Measured) -> list[str]:
    """A line of the table."""
    foot = one.foot
    pss = foot.pss_bytes / MIB
    return [
        one.what,
        str(one.platforms or "-"),
        str(one.domains),
        str(one.answered),
        f"{one.up_s:.1f}",
        f"{1000 * one.up_s / one.domains:.1f}",
        f"{one.down_s:.1f}",
        f"{pss:.0f}",
        f"{pss / one.domains:.2f}",
        str(foot.descriptors),
        str(foot.descriptors_most),
        str(one.ports),
        f"{one.disk_bytes / 1024:.0f}",
        f"{100 * one.idle_cores:.1f}",
        f"{one.call_cpu_us:.0f}" if one.call_cpu_us else "-",
    ]


def wanted(quick: bool) -> list[Callable[[], Measured]]:
    """Each size and way, smallest first; ``quick``: a tenth of it."""
    size = 24 if quick else DOMAINS - 1
    small, hosted, worlds = (8, 8, 1_000) if quick else (16, 64, 10_000)
    several = 2 if quick else 4
    each = size - 5
    return [
        lambda: measuring.plain(size),
        lambda: measuring.real(1, small, load=True),
        lambda: measuring.real(1, size, load=not quick),
        lambda: measuring.real(1, small, hosted, load=True),
        lambda: measuring.real(1, size, hosted, load=not quick),
        lambda: measuring.real(several, each, hosted),
        lambda: measuring.simulated(worlds),
    ]


def shown(rows: Sequence[Measured]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in COLUMNS:
        table.add_column(column, justify="right" if column else "left")
    for one in rows:
        table.add_row(*cells(one))
    return table


def main() -> None:
    """Measure one after another; a line of what else runs here comes first."""
    parser = argparse.ArgumentParser(prog="python -m deploy.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--markdown", action="store_true", help="lines of a Markdown table")
    asked = parser.parse_args()
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    click.echo(f"{os.cpu_count()} cores, load before the measurement {load}")
    rows: list[Measured] = []
    if asked.markdown:
        click.echo("| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS))
    for measure in wanted(asked.quick):
        rows.append(measure())
        if asked.markdown:
            click.echo("| " + " | ".join(cells(rows[-1])) + " |")
        else:
            sys.stderr.write(f"\r{len(rows)} of {len(wanted(asked.quick))} ")
    if not asked.markdown:
        Console(width=180).print(shown(rows))


if __name__ == "__main__":
    main()
