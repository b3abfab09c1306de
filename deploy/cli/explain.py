"""``trapline explain``: who may ring what, and why, in words, as JSON or as a picture."""

import textwrap
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.padding import Padding
from rich.text import Text

from deploy.cli.options import FILE, F, json_option, platform_files, topology_of, xen_options
from deploy.cli.output import console, say_json, table
from deploy.errors import UserError
from deploy.explain.facts import Facts, gather
from deploy.explain.picture import draw
from deploy.explain.subject import Kind, Subject, find
from deploy.explain.text import Account, account
from deploy.topology import XenOptions
from nodes.xen.profile import DEFAULT, PROFILES


def _options(command: F) -> F:
    """The file options, --json and --svg."""
    command = click.option("--svg", type=FILE, metavar="FILE", help="Draw the picture into FILE.")(command)
    return platform_files(xen_options(json_option(command)))


@click.group(invoke_without_command=True)
@_options
@click.pass_context
def explain(ctx: click.Context, /, **options: Any) -> None:
    """Say who may ring what, who is privileged, and why.

    \b
    trapline explain                              # the whole platform
    trapline explain channel 0x82000004           # a doorbell, or a page
    trapline explain agent 2                      # a number, or EL3's name
    trapline explain domain ivi --svg ivi.svg     # and draw it

    The platform is booted once in the simulated engine, and every domain rings every doorbell: the answers
    are those of Xen and EL3. Options may stand before or after the subject.
    """
    ctx.obj = options
    if ctx.invoked_subcommand is None:
        _explain(ctx, "platform", "", {})


@explain.command()
@click.argument("doorbell")
@_options
@click.pass_context
def channel(ctx: click.Context, /, doorbell: str, **options: Any) -> None:
    """Explain the channel with this doorbell or page, such as 0x82000004."""
    _explain(ctx, "channel", doorbell, options)


@explain.command()
@click.argument("agent")
@_options
@click.pass_context
def agent(ctx: click.Context, /, agent: str, **options: Any) -> None:
    """Explain an agent, by its number or the name that EL3 gives it."""
    _explain(ctx, "agent", agent, options)


@explain.command()
@click.argument("name")
@_options
@click.pass_context
def domain(ctx: click.Context, /, name: str, **options: Any) -> None:
    """Explain what a domain has and what it may ring."""
    _explain(ctx, "domain", name, options)


def _explain(ctx: click.Context, kind: Kind, word: str, options: dict[str, Any]) -> None:
    given = {key: _chosen(options.get(key), value) for key, value in ctx.obj.items()}
    svg, as_json = given.pop("svg"), given.pop("as_json")
    xen = XenOptions(PROFILES[given.pop("profile")], given.pop("strict"), given.pop("xen_cmdline"))
    if xen.profile.driver != "multiagent":
        raise UserError(
            f"--profile {xen.profile.name}: it forwards one doorbell for one domain and knows no agents; "
            "choose a version of the multi-agent driver"
        )
    facts = gather(topology_of(**given, xen=xen))
    subject = find(facts, kind, word) if word or kind != "platform" else Subject("platform")
    told = account(facts, subject)
    if svg is not None:
        _write(svg, draw(facts, subject))
    if as_json:
        say_json(_json(facts, subject, told))
    else:
        _print(told)
        if svg is not None:
            click.echo(f"picture: {svg}", err=True)


def _chosen(after: Any, before: Any) -> Any:
    """The option after the subject, if it was given, else the one before it."""
    return before if not after or after == DEFAULT.name else after


def _write(path: Path, picture: str) -> None:
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; check the path") from None


def _json(facts: Facts, subject: Subject, told: Account) -> dict[str, Any]:
    """All facts for the platform; for one subject what concerns it, with the same reasons as in the text."""
    why = {part.heading: part.paragraphs for part in told.sections if part.paragraphs}
    shown: dict[str, Any] = {"subject": subject.kind, "title": told.title, "why": why}
    if subject.channel is not None:
        func_id = subject.channel.func_id
        shown |= {"channel": subject.channel, "rings": facts.rings_of(func_id)}
    elif subject.domain is not None:
        rings = [ring for ring in facts.rings if ring.domain == subject.domain.name]
        shown |= {"domain": subject.domain, "rings": rings}
    else:
        shown |= msgspec.structs.asdict(facts)
    return shown


def _print(told: Account) -> None:
    out = console()
    out.print(Text(told.title, style="bold"))
    for part in told.sections:
        out.print()
        out.print(Text(part.heading, style="bold cyan"))
        for paragraph in part.paragraphs:
            lines = textwrap.wrap(paragraph, out.width - 2, break_long_words=False, break_on_hyphens=False)
            out.print(Text("\n".join(f"  {line}" for line in lines)))
        if part.rows:
            out.print(Padding(table(None, part.columns, part.rows), (0, 0, 0, 2), expand=False))
