"""``trapline trap``: one SMC or HVC of a domain with registers of your choice."""

from pathlib import Path

import click

from bus import smccc
from bus.smccc import ExceptionClass
from deploy import control
from deploy.cli.options import json_option, run_directory, which_platform
from deploy.cli.output import say_json
from deploy.errors import UserError


@click.command(context_settings={"ignore_unknown_options": True})  # -1 is a register
@click.argument("domain")
@click.argument("x0", metavar="FUNCTION_ID")
@click.argument("arguments", nargs=-1, metavar="[X1 .. X7]")
@click.option("--hvc", is_flag=True, help="HVC instead of SMC.")
@click.option("--immediate", default=0, show_default=True, help="The instruction's immediate.")
@which_platform
@json_option
def trap(
    domain: str,
    x0: str,
    arguments: tuple[str, ...],
    hvc: bool,
    immediate: int,
    name: str,
    run_dir: Path | None,
    as_json: bool,
) -> None:
    """Execute one SMC as DOMAIN and show x0 to x3.

    \b
    trapline trap ivi 0x80000000          # SMCCC_VERSION
    trapline trap ivi 0x82000003          # Xen's doorbell: x0 = -1
    trapline trap ivi 0x84000008          # PSCI SYSTEM_OFF: the domain is gone
    """
    if len(arguments) > 7:
        raise UserError(f"{len(arguments)} arguments: an SMC takes x1 to x7, so at most seven")
    x = tuple(_register(text) for text in (x0, *arguments)) + (0,) * (7 - len(arguments))
    ec = ExceptionClass.HVC64.value if hvc else ExceptionClass.SMC64.value
    if not 0 <= immediate <= 0xFFFF:
        raise UserError(f"--immediate {immediate}: 16 bits, 0 to 65535")
    request = control.Trap(domain, ec, immediate, x)  # type: ignore[arg-type]
    answer = control.ask(run_directory(name, run_dir), request)
    if as_json:
        say_json({"code": answer["code"], "detail": answer["detail"], "x": answer["x"]})
    elif answer["code"]:
        click.echo(f"{answer['code']}: {answer['detail']}")
    else:
        for at, value in enumerate(answer["x"]):
            click.echo(f"x{at} = {value:#018x} ({smccc.signed(value)})")


def _register(text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        raise UserError(f"{text}: not a register value; write 10, 0x0a or -1") from None
    if not -(1 << 63) <= value < 1 << 64:
        raise UserError(f"{text}: does not fit a 64-bit register")
    return smccc.unsigned(value)
