"""What an operator may do to the platform from the screen, as data: a key, a title, what is asked for, what
will happen, and the request. Pure: it asks nobody."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from deploy import control
from deploy.errors import UserError
from deploy.top.model import Row


class Poke(msgspec.Struct, frozen=True):
    """``title`` may name the domain as {}. ``wants``: what the user is asked for, "" for nothing.

    ``will`` tells what will happen and ``request`` is how; both get the row under the cursor and what was
    written. ``request`` raises UserError. ``prefill`` is what he may leave as it is.
    """

    key: str
    title: str
    will: Callable[[Row, str], str]
    request: Callable[[Row, str], control.Request]
    wants: str = ""
    prefill: Callable[[Row], str] = lambda row: ""


def _agent(row: Row) -> str:
    return "it has no agent" if row.agent is None else f"agent {row.agent} is reset"


def _destroys(row: Row, _: str) -> str:
    return f"Destroy {row.domain}: the domain ends, {_agent(row)} and free. It does not come back by itself."


def _reboots(row: Row, _: str) -> str:
    return f"Reboot {row.domain}: it is destroyed, {_agent(row)}, and it is created again from its xl.cfg."


def _crashes(row: Row, _: str) -> str:
    if row.domid == 0:
        return "Kill the process of dom0 (kill -9): the control domain crashes, and the platform goes down."
    return (
        f"Kill the process of {row.domain} (kill -9): the domain crashes, {_agent(row)}, and on_crash of its "
        "xl.cfg says whether it is started again."
    )


def _creates(_: Row, text: str) -> str:
    return f"Create a domain from {_path(text)} and let it run."


def _path(text: str) -> Path:
    return Path(text.strip()).expanduser().absolute()


def _create(_: Row, text: str) -> control.Request:
    if not text.strip():
        raise UserError("no file: give the path of an xl.cfg")
    return control.Create(str(_path(text)))


def _hardware(text: str, broken: bool) -> control.Inject:
    match text.split():
        case ["sensor", number] if number.isdecimal():
            return control.Inject("sensor", int(number), broken)
        case ["reset", number] if number.isdecimal():
            return control.Inject("reset", int(number), broken)
    raise UserError(
        f"{text.strip() or 'nothing'}: give a piece of hardware and its number, as 'sensor 3' or 'reset 1'"
    )


def _breaks(_: Row, text: str) -> str:
    return f"Break {' '.join(text.split())}: it does not work, agents see HARDWARE_ERROR, until it is mended."


def _mends(_: Row, text: str) -> str:
    return f"Mend {' '.join(text.split())}: it works again."


def _node(text: str) -> str:
    if not text.strip():
        raise UserError("no node: give a domain's name, 'firmware' or 'xen'")
    return text.strip()


def _stops(_: Row, text: str) -> str:
    what = {
        "firmware": "EL3 answers nobody: calls wait, or time out",
        "xen": "nothing moves on the platform, and requests to it wait up to 10 s",
    }.get(text.strip(), "the domain stands still with all it holds")
    return f"Stop the process of {text.strip()} (SIGSTOP): {what}, until it goes on."


def _goes_on(_: Row, text: str) -> str:
    return f"Let the process of {text.strip()} go on (SIGCONT)."


POKES: tuple[Poke, ...] = (
    Poke("c", "create a domain from an xl.cfg", _creates, _create, "path of the xl.cfg"),
    Poke("d", "destroy {}", _destroys, lambda row, _: control.Destroy(row.domain)),
    Poke("r", "reboot {}: its agent is reset", _reboots, lambda row, _: control.Reboot(row.domain)),
    Poke("x", "crash {} (kill -9)", _crashes, lambda row, _: control.Kill(row.domain, "KILL")),
    Poke("b", "break hardware", _breaks, lambda _, text: _hardware(text, True), "'sensor N' or 'reset N'"),
    Poke("m", "mend hardware", _mends, lambda _, text: _hardware(text, False), "'sensor N' or 'reset N'"),
    Poke(
        "z", "stop a node", _stops, lambda _, text: control.Kill(_node(text), "STOP"),
        "a domain's name, firmware or xen", lambda row: row.domain,
    ),
    Poke(
        "g", "let a node go on", _goes_on, lambda _, text: control.Kill(_node(text), "CONT"),
        "a domain's name, firmware or xen", lambda row: row.domain,
    ),
)  # fmt: skip
