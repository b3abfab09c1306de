"""``trapline xl``: domains as xl handles them."""

from pathlib import Path

import click
import msgspec

from deploy import control
from deploy.cli.options import FILE, json_option, run_directory, which_platform
from deploy.cli.output import console, hexadecimal, number, say_json, who_is_who
from deploy.summary import AgentRow


@click.group()
def xl() -> None:
    """Create, list, destroy and reboot domains."""


@xl.command("list")
@which_platform
@json_option
def list_domains(name: str, run_dir: Path | None, as_json: bool) -> None:
    """List the domains with their agents."""
    found = control.ask(run_directory(name, run_dir), control.Status())["domains"]
    if as_json:
        say_json(found)
        return
    console().print(who_is_who(msgspec.convert(found, list[AgentRow])))


@xl.command()
@click.argument("config", type=FILE, metavar="FILE.cfg")
@which_platform
@json_option
def create(config: Path, name: str, run_dir: Path | None, as_json: bool) -> None:
    """Create a domain from an xl.cfg and start it."""
    made = control.ask(run_directory(name, run_dir), control.Create(str(config.absolute())))
    made.pop("link", None)
    if as_json:
        say_json(made)
        return
    agent = number(made["agent_id"])
    click.echo(
        f"{made['name']}: domain {made['domid']}, agent {agent}, doorbell {hexadecimal(made['smc_id'])}"
    )


@xl.command()
@click.argument("domain")
@which_platform
def destroy(domain: str, name: str, run_dir: Path | None) -> None:
    """Destroy a domain: Xen resets its agent, which is free again."""
    control.ask(run_directory(name, run_dir), control.Destroy(domain))
    click.echo(f"{domain}: destroyed, its agent was reset and is free")


@xl.command()
@click.argument("domain")
@which_platform
def reboot(domain: str, name: str, run_dir: Path | None) -> None:
    """Destroy a domain and create it again from the same xl.cfg."""
    made = control.ask(run_directory(name, run_dir), control.Reboot(domain))
    click.echo(f"{made['name']}: domain {made['domid']}, incarnation {made['incarnation']}")
