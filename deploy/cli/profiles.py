"""``trapline profiles``: the firmwares that EL3 can play, and how each differs from the strict one."""

import textwrap

import click
from rich.console import Console
from rich.text import Text

from deploy.cli.options import json_option
from deploy.cli.output import console, say_json
from deploy.topology import firmware_profile
from nodes.firmware.profile import DEFAULT, PROFILES, FirmwareProfile
from nodes.firmware.profile_table import TITLES, as_data, fields_of, shown

COLUMNS_MAX = 100


@click.command()
@click.argument("name", required=False)
@json_option
def profiles(name: str | None, as_json: bool) -> None:
    """List the firmware profiles, or tell one with its facts.

    \b
    trapline profiles                     # which there are
    trapline profiles tfa                 # how it differs, and why that is so
    trapline up --firmware tfa            # play it

    A profile is a row of differences from the strict reading of the SCMI specification.
    """
    if name is None:
        if as_json:
            say_json([as_data(profile) for profile in PROFILES.values()])
        else:
            _list(console())
        return
    profile = firmware_profile(name)
    if as_json:
        say_json(as_data(profile))
    else:
        _show(console(), profile)


def _list(out: Console) -> None:
    for profile in PROFILES.values():
        count = len(profile.facts)
        how = "the default" if profile is DEFAULT else f"{count} differences"
        out.print(Text(profile.name, style="bold cyan"), Text(how), sep="  ")
        _wrapped(out, profile.title, 2)
        for option, row in profile.options.items():
            _wrapped(out, f"{profile.name}+{option}: {row.fact}", 2)
    out.print("\n'trapline profiles NAME' shows the differences and the facts behind them.")


def _show(out: Console, profile: FirmwareProfile) -> None:
    out.print(Text(profile.name, style="bold cyan"))
    _wrapped(out, profile.title, 2)
    out.print()
    fields = fields_of(profile) or list(TITLES)
    for field in fields:
        title = Text(TITLES[field], style="bold")
        value = shown(profile, field)
        beside = len(TITLES[field]) + 2 + len(value) <= _width(out)
        out.print(Text.assemble(title, ": ", value) if beside else Text.assemble(title, ":"))
        if not beside:
            _wrapped(out, value, 4)
        if field in profile.facts:
            _wrapped(out, profile.facts[field], 2, "dim")
    for option, row in profile.options.items():
        out.print(Text(f"option +{option}", style="bold"))
        _wrapped(out, row.fact, 2)


def _width(out: Console) -> int:
    return min(out.width, COLUMNS_MAX)


def _wrapped(out: Console, text: str, indent: int, style: str = "") -> None:
    lines = textwrap.wrap(text, _width(out) - indent, break_long_words=False, break_on_hyphens=False)
    out.print(Text("\n".join(" " * indent + line for line in lines), style=style))
