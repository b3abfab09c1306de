"""``trapline check``: what is wrong with a platform's files, before anything boots."""

import difflib
import sys
from pathlib import Path

import click

from deploy import __version__
from deploy.cli.options import FILE, named
from deploy.cli.output import console, say_json
from deploy.errors import UserError
from deploy.lint import Inputs, judge, read, report_json, report_sarif, report_text, unusable
from deploy.lint.locate import Texts
from deploy.lint.material import Material
from deploy.lint.rules import RULES
from deploy.topology import shipped
from nodes.xen.profile import DEFAULT, PROFILES


@click.command(short_help="Find what is wrong with a platform's files.")
@click.argument("files", nargs=-1, type=FILE, metavar="[FILE...]")
@click.option(
    "--xl", multiple=True, type=FILE, metavar="FILE.cfg", help="A guest, with its own tree. Repeatable."
)
@click.option(
    "--dom0less",
    multiple=True,
    metavar="NAME=FILE",
    help="Partial tree of the boot domain NAME. Default: NAME.dts or NAME.dtb beside the host tree.",
)
@click.option("--platform", "platform_file", type=FILE, metavar="FILE.toml", help="What EL3 owns.")
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default=DEFAULT.name,
    show_default=True,
    help="The version of Xen's driver that will run.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True
)
@click.option("--explain", metavar="RULE", help="Say all about a rule, and check nothing.")
def check(
    files: tuple[Path, ...],
    xl: tuple[Path, ...],
    dom0less: tuple[str, ...],
    platform_file: Path | None,
    profile: str,
    form: str,
    explain: str | None,
) -> None:
    """Check a platform's files against each other and against what Xen's driver accepts.

    FILEs are the host device tree and what is merged over it. Without any, the automotive platform
    that comes with Trapline is checked. Exit code: 0 nothing wrong, 1 mistakes were found, 2 a file
    could not be read.
    """
    if explain is not None:
        _explain(explain)
        return
    if not (files or xl or dom0less or platform_file):
        xl = tuple(sorted(shipped().glob("*.cfg")))
    if not files:
        files, platform_file = (shipped() / "host.dts",), platform_file or shipped() / "platform.toml"
    material = read(Inputs(files, xl, named(dom0less), platform_file, PROFILES[profile]))
    texts = Texts()
    found = judge(material, texts)
    if form == "json":
        say_json(report_json.report(found, material.files))
    elif form == "sarif":
        say_json(report_sarif.report(found, material.files, __version__, not unusable(found)))
    else:
        out = console()
        report_text.findings(out, found, texts)
        report_text.summary(out, found, _checked(material))
    if unusable(found):
        sys.exit(2)
    sys.exit(1 if any(one.severity != "note" for one in found) else 0)


def _explain(name: str) -> None:
    if name not in RULES:
        near = difflib.get_close_matches(name, RULES, 3, 0.5)
        hint = f"do you mean {' or '.join(near)}?" if near else f"the rules are {', '.join(RULES)}"
        raise UserError(f"--explain {name}: no such rule; {hint}")
    report_text.explain(console(), RULES[name])


def _checked(material: Material) -> str:
    """What was looked at, for the last line."""
    parts = [path.name for path in material.inputs.host]
    boot = [one for one in material.domains if one.boot]
    guests = [one for one in material.domains if not one.boot]
    for count, word in ((len(material.entries), "agent"), (len(boot), "boot domain"), (len(guests), "guest")):
        if count:
            parts.append(f"{count} {word}{'s' if count > 1 else ''}")
    if material.inputs.platform is not None:
        parts.append(material.inputs.platform.name)
    return ", ".join(parts)
