"""``trapline keys``: who may come to a platform as whom, kept in a folder of one's own."""

import time
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from deploy.cli.options import Number, json_option, platform_files, topology_of
from deploy.cli.output import console, say_json, table
from deploy.errors import UserError
from deploy.keys.authority import Authority, Entry, create, node
from deploy.launching.launcher import LaunchFailed

FOLDER: Final = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
PLATFORM: Final = (("xen", "xen"), ("firmware", "firmware"))
GRACE_MAX_S: Final = 30 * 86_400.0
STYLES: Final = {"valid": "green", "revoked": "bold red", "ended": "dim", "not yet": "yellow"}


@click.group()
def keys() -> None:
    """Make and keep the keys of a cluster's nodes.

    \b
    trapline keys new DIR                   # for the shipped platform
    trapline keys new DIR --node guest:ivi  # or these nodes, Xen and EL3
    trapline up --tcp --keys DIR            # use them
    trapline keys rotate DIR ivi --grace 60 # the old one is good for 60 s
    trapline keys revoke DIR ivi            # none any more, at once

    Secrets are in files that only you may read. No command prints one. deploy/keys/THREATS.md tells what keys
    keep out, and how to rotate them.
    """


@keys.command()
@FOLDER
@click.option(
    "--node", "nodes", multiple=True, metavar="ROLE:NAME", help="A node, such as guest:ivi. Repeatable."
)
@platform_files
@json_option
def new(
    folder: Path,
    nodes: tuple[str, ...],
    host_dt: tuple[Path, ...],
    platform_file: Path | None,
    xl: tuple[Path, ...],
    dom0less: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make an authority in a new folder, with keys for Xen, EL3 and every domain.

    The domains are those of the platform that the files describe, as for 'trapline up'.
    """
    if nodes and (host_dt or platform_file or xl or dom0less):
        raise UserError("--node: names nodes by itself; leave out the platform's files")
    if nodes:
        who = [node(one) for one in nodes]
    else:
        topology = topology_of(host_dt, platform_file, xl, dom0less)
        names = ["dom0", *topology.bindings, *(guest.name for guest in topology.guests)]
        who = [("guest", name) for name in names]
    _done(create(folder, [*PLATFORM, *who]), as_json)


@keys.command("list")
@FOLDER
@json_option
def list_(folder: Path, as_json: bool) -> None:
    """List whose keys there are, and since when they are valid."""
    _done(Authority(folder), as_json)


@keys.command()
@FOLDER
@json_option
def check(folder: Path, as_json: bool) -> None:
    """Check that nobody else may read the keys, and that each one is that of the list."""
    authority = Authority(folder)
    now = time.time()
    whose = sorted({one.who for one in authority.list.nodes if one.valid(now)})
    for who in whose:
        try:
            authority.node(*who)
        except LaunchFailed as error:
            raise UserError(str(error)) from None
    if as_json:
        say_json({"cluster": authority.list.cluster, "nodes": len(whose)})
    else:
        click.echo(f"{folder}: {len(whose)} nodes may come, and nobody else may read their keys")


@keys.command()
@FOLDER
@click.argument("nodes", nargs=-1, required=True, metavar="ROLE:NAME...")
@json_option
def add(folder: Path, nodes: tuple[str, ...], as_json: bool) -> None:
    """Make keys for more nodes."""
    authority = Authority(folder)
    authority.add(dict.fromkeys(node(one) for one in nodes))
    _done(authority, as_json)


@keys.command()
@FOLDER
@click.argument("name", required=False)
@click.option("--authority", "registry", is_flag=True, help="The registry's own key pair instead.")
@click.option(
    "--grace",
    type=Number(0, GRACE_MAX_S),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the old key of a node stays valid.",
)
@json_option
def rotate(folder: Path, name: str | None, registry: bool, grace: float, as_json: bool) -> None:
    """Replace a node's key, or the registry's."""
    if (name is None) is not registry:
        raise UserError("rotate: give a node's name, or --authority, and not both")
    if registry and grace:
        raise UserError("--grace: is for a node's key, the registry has one at a time; leave it out")
    authority = Authority(folder, mend=registry)
    if name is None:
        authority.rotate_authority()
    else:
        authority.rotate(name, grace)
    _done(authority, as_json)


@keys.command()
@FOLDER
@click.argument("name")
@json_option
def revoke(folder: Path, name: str, as_json: bool) -> None:
    """Let a node come no more, with any key that it has. A platform that runs with DIR acts at once."""
    authority = Authority(folder)
    authority.revoke(name)
    _done(authority, as_json)


def _done(authority: Authority, as_json: bool) -> None:
    """What is on the list now."""
    found = authority.list
    now = time.time()
    if as_json:
        nodes = [_as_data(one, now) for one in found.nodes]
        say_json({"cluster": found.cluster, "registry": found.registry, "nodes": nodes})
        return
    out = console()
    out.print(Text.assemble(("registry  ", "bold cyan"), found.registry), soft_wrap=True)
    rows: list[list[str | Text]] = [
        [
            one.role,
            one.name,
            Text(_state(one, now), style=STYLES[_state(one, now)]),
            _when(one.since),
            one.public,
        ]
        for one in found.nodes
    ]
    out.print(table(None, ["role", "name", "state", "since", "public key"], rows))


def _as_data(entry: Entry, now: float) -> dict[str, Any]:
    return {
        "role": entry.role,
        "name": entry.name,
        "public": entry.public,
        "since": entry.since,
        "until": entry.until or None,
        "state": _state(entry, now),
    }


def _state(entry: Entry, now: float) -> str:
    if entry.valid(now):
        return "valid"
    if now < entry.since:
        return "not yet"
    return "revoked" if entry.revoked else "ended"


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
