"""The boot-time account of ``trapline up --timing``, for people and for scripts."""

from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape

from deploy.cli.output import hexadecimal, number, table
from deploy.timing import Account, Cost

FORMS = (3, 2)


def _milliseconds(cost: Cost) -> str:
    return f"{cost.ns / 1e6:.3f}" if cost.calls else "-"


def _calls(cost: Cost) -> str:
    return str(cost.calls) if cost.calls else "-"


def show(out: Console, found: Account) -> None:
    """A row per channel, a pair of columns per form; the form of the tree is named below."""
    rows = [
        [
            one.owner,
            number(one.agent_id),
            hexadecimal(one.smc_id),
            _calls(one.three_cells),
            _milliseconds(one.three_cells),
            _calls(one.two_cells),
            _milliseconds(one.two_cells),
        ]
        for one in found.channels
    ]
    totals = [found.total(cells) for cells in FORMS]
    rows.append(["all", "", "", *(text for one in totals for text in (str(one.calls), _milliseconds(one)))])
    columns = ["channel", "agent", "smc-id", "calls, 3 cells", "ms", "calls, 2 cells", "ms"]
    model = found.latency
    out.print("\n[bold]What the probe costs at boot[/bold]")
    out.print(
        f"each message {model.message_ns / 1e3:g} us in EL3: {escape(model.name)}, {escape(model.title)}\n"
    )
    out.print(table(None, columns, rows, numbers=(1, 3, 4, 5, 6)))
    saved = totals[1].ns - totals[0].ns
    out.print(
        f"\nThis tree's list has {found.cells} cells per agent. 3 cells make the boot {saved / 1e6:.3f} ms "
        "shorter: Xen asks no secondary agent for its id, and need not reach its page."
    )


def as_data(found: Account) -> dict[str, Any]:
    """The same as plain data; times in nanoseconds of virtual time."""
    totals = {str(cells): msgspec.to_builtins(found.total(cells)) for cells in FORMS}
    return {**msgspec.to_builtins(found), "total": totals}
