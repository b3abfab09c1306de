"""``trapline call``: one SCMI message on a domain's own channel, with names from the message tables."""

import struct
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from bus.fields import Field, Message, WrongSize, decode, encode, fields_of, layout
from bus.scmi import BY_KEY, PROTOCOLS, trace
from bus.scmi.protocol import AnyCommand, Protocol
from bus.scmi.status import name as status_name
from bus.shmem import PAYLOAD_BYTES_MAX
from deploy import control
from deploy.cli.options import json_option, run_directory, which_platform
from deploy.cli.output import console, say_json, table
from deploy.errors import UserError


@click.command()
@click.argument("domain")
@click.argument("message", metavar="PROTOCOL.MESSAGE")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--raw", is_flag=True, help="Print the payloads in hex, undecoded.")
@click.option("--payload", metavar="HEX", help="Send these bytes instead of encoding fields.")
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
    name: str,
    run_dir: Path | None,
    as_json: bool,
) -> None:
    """Send one SCMI message as DOMAIN and show the answer.

    \b
    trapline call ivi clock.CLOCK_RATE_GET clock_id=5
    trapline call ivi clock.rate_set flags=0 clock_id=5 rate=66_666_666
    trapline call ivi power.state_set flags=0 domain_id=4 power_state=OFF
    trapline call ivi 0x14.0x6 --payload 05000000 --raw

    Protocols: base, power, clock, reset, or a number. A field of bits takes a number or
    bit=value pairs: flags=round_up=1+async_set=0. Exit code 0 for SUCCESS, 1 otherwise.
    """
    protocol_id, message_id, command, protocol = parse_message(message)
    if payload is not None:
        body = _hex(payload)
    elif command is None or protocol is None:
        raise UserError(
            f"{message}: not in the message tables, so its fields are unknown; give --payload HEX"
        )
    else:
        body = encode_fields(command, protocol, fields)
    request = control.Call(domain, protocol_id, message_id, body)
    answer = control.ask(run_directory(name, run_dir), request)
    shown = describe(answer, command, protocol, body)
    if as_json:
        say_json(shown)
    elif raw:
        click.echo(f"request  {body.hex() or '-'}")
        click.echo(f"answer   {shown['status']} {shown['payload'] or '-'}")
    else:
        _print(shown)
    ctx.exit(0 if shown["status"] == "SUCCESS" else 1)


def parse_message(text: str) -> tuple[int, int, AnyCommand | None, Protocol | None]:
    """(protocol id, message id, row, table) of ``clock.CLOCK_RATE_GET`` or ``0x14.0x6``; raises UserError."""
    left, dot, right = text.partition(".")
    if not dot:
        raise UserError(f"{text}: name a message as PROTOCOL.MESSAGE, such as clock.CLOCK_RATE_GET")
    protocol = BY_KEY.get(left.lower())
    protocol_id = protocol.id if protocol else _byte(left)
    if protocol_id is None:
        raise UserError(
            f"{left}: no such protocol; there are {', '.join(BY_KEY)}, or give a number up to 0xff"
        )
    protocol = next((one for one in PROTOCOLS if one.id == protocol_id), None)
    number = _byte(right)
    command = protocol.command(right if number is None else number) if protocol else None
    if command is not None:
        return protocol_id, command.id, command, protocol
    if number is None:
        names = ", ".join(one.name for one in protocol.every_command()) if protocol else "numbers only"
        raise UserError(f"{right}: no such message of {left}; there are {names}")
    return protocol_id, number, None, protocol


def _byte(text: str) -> int | None:
    try:
        value = int(text, 0)
    except ValueError:
        return None
    return value if 0 <= value <= 0xFF else None


def _hex(text: str) -> bytes:
    try:
        found = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise UserError(f"--payload {text}: not hexadecimal; give an even number of hex digits") from None
    if len(found) > PAYLOAD_BYTES_MAX:
        raise UserError(f"--payload: {len(found)} bytes, a page takes {PAYLOAD_BYTES_MAX}; give fewer")
    return found


def encode_fields(command: AnyCommand, protocol: Protocol, given: tuple[str, ...]) -> bytes:
    """The request's payload from FIELD=VALUE words; raises UserError naming the field."""
    cls: type[Message] = command.request
    rows = {row.name: row for row in layout(cls, protocol.version).rows}
    values: dict[str, Any] = {row.name: row.empty for row in fields_of(cls)}
    seen = set()
    for word in given:
        key, equals, text = word.partition("=")
        if not equals or key not in rows:
            there = ", ".join(rows) or "none"
            raise UserError(f"{word}: {command.name} takes FIELD=VALUE for the fields: {there}")
        values[key] = _value(rows[key], text)
        seen.add(key)
    missing = [key for key in rows if key not in seen]
    if missing:
        raise UserError(
            f"{command.name}: {missing[0]} is missing; give {' '.join(f'{key}=...' for key in missing)}"
        )
    try:
        return encode(cls(**values), protocol.version)
    except ValueError as error:
        raise UserError(f"{command.name}: {error}; give a number that fits the field") from None


def _value(row: Field, text: str) -> int:
    for known, number in row.values.items():
        if text.lower() == known.lower():
            return number
    return _fitting(row, text, _number(row, text))


def _fitting(row: Field, text: str, number: int) -> int:
    """``number``, if it fits the field."""
    bits = 8 * struct.calcsize(row.code)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if row.code.islower() else (0, (1 << bits) - 1)
    if not low <= number <= high:
        raise UserError(f"{row.name}={text}: a {row.kind} takes {low} to {high}; give a number that fits")
    return number


def _number(row: Field, text: str) -> int:
    if row.bits is not None and "=" in text:
        parts = dict(part.partition("=")[::2] for part in text.split("+"))
        try:
            return row.bits.pack(**{part: int(value, 0) for part, value in parts.items()})
        except ValueError as error:
            raise UserError(f"{row.name}={text}: {error}") from None
    try:
        return int(text, 0)
    except ValueError:
        known_names = "".join(f", {known}" for known in row.values)
        raise UserError(f"{row.name}={text}: not a number{known_names}; write 10, 0x0a or a name") from None


def describe(
    answer: dict[str, Any], command: AnyCommand | None, protocol: Protocol | None, body: bytes
) -> dict[str, Any]:
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
    if command is not None and protocol is not None and not answer["code"] and not answer["status"]:
        shown["fields"] = _fields(command.reply, payload, protocol.version)
    return shown


def _fields(cls: type[Message], payload: bytes, version: int) -> dict[str, Any]:
    try:
        message = decode(cls, payload, version)
    except WrongSize:
        return {"malformed": payload.hex()}
    return {row.name: trace.value_text(row, getattr(message, row.name)) for row in layout(cls, version).rows}


def _print(shown: dict[str, Any]) -> None:
    colour = "green" if shown["status"] == "SUCCESS" else "red"
    out = console()
    detail = f"  {escape(shown['detail'])}" if shown["detail"] else ""
    sure = {None: "", True: "  (it surely did not happen)", False: "  (it may have happened)"}[
        shown["definite"]
    ]
    out.print(f"[{colour}]{shown['status']}[/{colour}]{detail}{sure}  in {shown['elapsed_us']:.0f} us")
    if shown["fields"]:
        out.print(
            table(None, ["field", "value"], [[key, str(value)] for key, value in shown["fields"].items()])
        )
