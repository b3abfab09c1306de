"""``trapline call``: one SCMI message on a domain's own channel, with names from the message tables."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from bus.reference.markdown import version_text
from bus.scmi.protocol import PROTOCOL_VERSION, AnyCommand, Protocol
from bus.scmi.status import name as status_name
from bus.shmem import PAYLOAD_BYTES_MAX
from deploy import control, plugins
from deploy.cli.options import json_option, run_directory, which_platform
from deploy.cli.output import console, say_json, table
from deploy.errors import UserError
from deploy.message import encode_request, named_fields, offered_version, parse_name, spoken_version, varies
from deploy.rundir import RunDirectory

VERSION_BYTES = 4


@click.command()
@click.argument("domain")
@click.argument("message", metavar="PROTOCOL.MESSAGE")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--raw", is_flag=True, help="Print the payloads in hex, undecoded.")
@click.option("--payload", metavar="HEX", help="Send these bytes instead of encoding fields.")
@click.option(
    "--version",
    metavar="N",
    help="Encode and decode as this version, such as 0x20000; without it, as the one that EL3 offers. "
    "Nothing is negotiated: do that first, with PROTOCOL.NEGOTIATE_PROTOCOL_VERSION.",
)
@which_platform
@json_option
@click.pass_context
def call(
    ctx: click.Context,
    domain: str,
    message: str,
    fields: tuple[str, ...],
    raw: bool,
    payload: str | None,
    version: str | None,
    name: str,
    run_dir: Path | None,
    as_json: bool,
) -> None:
    """Send one SCMI message as DOMAIN and show the answer.

    \b
    trapline call ivi clock.CLOCK_RATE_GET clock_id=5
    trapline call ivi clock.rate_set flags=0 clock_id=5 rate=66_666_666
    trapline call ivi power.state_set flags=0 domain_id=4 power_state=OFF
    trapline call ivi voltage.level_set domain_id=1 flags=0 voltage_level=800_000
    trapline call ivi pinctrl.request identifier=0 flags=selector=GROUP
    trapline call ivi pinctrl.settings_configure identifier=0 function_id=0 \\
        attributes=selector=GROUP configs=BIAS_PULL_UP:1,DRIVE_STRENGTH:8
    trapline call ivi 0x14.0x6 --payload 05000000 --raw

    Protocols: base, power, system, perf, clock, sensor, reset, voltage, powercap, pinctrl, those of
    plug-ins, or a number. A field of bits takes a number or bit=value pairs:
    flags=round_up=1+async_set=0. An array takes its items with ',' between, a structure its fields
    with ':' between; its count is filled in. Exit code 0 for SUCCESS, 1 otherwise.
    """
    protocol_id, message_id, command, protocol = parse_name(message, plugins.load().tables)
    if payload is not None and fields:
        raise UserError(f"{fields[0]}: --payload is the whole payload; give fields or --payload, not both")
    if command is None or protocol is None:
        _only_bytes(message, payload, version)
    run = run_directory(name, run_dir)
    spoken = 0
    if command is not None and protocol is not None:
        spoken = protocol.version if version is None else spoken_version(version, protocol, command)
        if version is None and payload is None and varies(protocol, command):
            spoken = _offered(run, domain, protocol)
    body = encode_request(command, fields, spoken) if payload is None and command else _hex(payload or "")
    request = control.Call(domain, protocol_id, message_id, body)
    answer = control.ask(run, request)
    shown = describe(answer, command, spoken, body)
    _show(shown, as_json, raw)
    ctx.exit(0 if shown["status"] == "SUCCESS" else 1)


def _only_bytes(message: str, payload: str | None, version: str | None) -> None:
    """Refuse what makes no sense for a message without a table."""
    if payload is None:
        raise UserError(
            f"{message}: not in the message tables, so its fields are unknown; give --payload HEX"
        )
    if version is not None:
        raise UserError(f"--version {version}: {message} is not in the message tables; leave it out")


def _offered(run: RunDirectory, domain: str, protocol: Protocol) -> int:
    """The version that EL3 offers the domain, for a message that is not the same in all of them."""
    answer = control.ask(run, control.Call(domain, protocol.id, PROTOCOL_VERSION.id, b""))
    if answer["code"] or answer["status"] or len(answer["payload"]) != VERSION_BYTES:
        return protocol.version
    return offered_version(protocol, int.from_bytes(answer["payload"], "little"))


def _hex(text: str) -> bytes:
    try:
        found = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise UserError(f"--payload {text}: not hexadecimal; give an even number of hex digits") from None
    if len(found) > PAYLOAD_BYTES_MAX:
        raise UserError(f"--payload: {len(found)} bytes, a page takes {PAYLOAD_BYTES_MAX}; give fewer")
    return found


def describe(answer: dict[str, Any], command: AnyCommand | None, version: int, body: bytes) -> dict[str, Any]:
    """The answer as plain data: status, fields by name, latency, payload in hex."""
    payload = answer["payload"]
    shown: dict[str, Any] = {
        "status": answer["code"] or status_name(answer["status"]),
        "definite": bool(answer["definite"]) if answer["code"] else None,
        "detail": answer["detail"],
        "fields": {},
        "elapsed_us": round(answer["elapsed_ns"] / 1000, 1),
        "request": body.hex(),
        "payload": payload.hex(),
    }
    if command is not None and not answer["code"] and not answer["status"]:
        shown["fields"] = named_fields(command.reply_at(version), payload, version)
        if "malformed" in shown["fields"]:
            shown["detail"] = f"not as {version_text(version)} has it; give --version, if another is spoken"
    return shown


def _show(shown: dict[str, Any], as_json: bool, raw: bool) -> None:
    if as_json:
        say_json(shown)
    elif raw:
        click.echo(f"request  {shown['request'] or '-'}")
        click.echo(f"answer   {shown['status']} {shown['payload'] or '-'}")
    else:
        _print(shown)


def _print(shown: dict[str, Any]) -> None:
    colour = "green" if shown["status"] == "SUCCESS" else "red"
    out = console()
    detail = f"  {escape(shown['detail'])}" if shown["detail"] else ""
    sure = {None: "", True: "  (it surely did not happen)", False: "  (it may have happened)"}[
        shown["definite"]
    ]
    out.print(f"[{colour}]{shown['status']}[/{colour}]{detail}{sure}  in {shown['elapsed_us']:.0f} us")
    print_fields(out, shown["fields"])


def print_fields(out: Console, fields: dict[str, Any]) -> None:
    """Plain fields as a table, then each array of structures: as a table if it fits, else one by one."""
    plain = [[key, str(value)] for key, value in fields.items() if not isinstance(value, list)]
    if plain:
        out.print(table(None, ["field", "value"], plain))
    for key, items in fields.items():
        if isinstance(items, list):
            _print_items(out, key, items)


def _print_items(out: Console, name: str, items: list[dict[str, Any]]) -> None:
    out.print(f"\n[bold]{name}[/bold]: {len(items) or 'none'}")
    columns = list(dict.fromkeys(key for item in items for key in item))
    rows = [[str(at), *(str(item.get(key, "-")) for key in columns)] for at, item in enumerate(items)]
    widths = [max(map(len, cells)) for cells in zip(["", *columns], *rows, strict=True)]
    if sum(widths) + 2 * len(widths) <= out.width:
        out.print(table(None, ["", *columns], rows) if items else "", end="")
        return
    for at, item in enumerate(items):
        out.print(table(None, [f"[{at}]", ""], [[f"  {key}", str(value)] for key, value in item.items()]))
