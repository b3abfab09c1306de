"""Xen's command line: the few parameters that matter to SCI, read by Xen's own rules.

A word that is no known parameter is ignored; a bad value leaves the default and is warned of.
"""

import re
from collections.abc import Iterator

import msgspec

from nodes.devicetree import Tree
from nodes.limits import AGENT_ID_MAX

BOOTARGS = "xen,xen-bootargs"
TRUE = ("yes", "on", "true", "enable", "1")
FALSE = ("no", "off", "false", "disable", "0")
PASSTHROUGH, DOM0, DOM0_AGENT, IOMMU = "scmi-smc-passthrough", "dom0", "sci-agent-id", "iommu"

_INTEGER = re.compile(r"[+-]?(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})")


class CommandLine(msgspec.Struct, frozen=True):
    """``dom0_agent`` None: not given, or switched off; ``iommu`` False: there is none for anybody."""

    dom0_agent: int | None = None
    passthrough: bool = False
    iommu: bool = True
    warnings: tuple[str, ...] = ()


def command_line(tree: Tree, further: str) -> str:
    """What the host tree gives Xen, and then ``further``."""
    chosen = tree.get("/chosen")
    given = chosen.string(BOOTARGS) if chosen else None
    return f"{given or ''} {further}".strip()


def parse(text: str) -> CommandLine:
    """The parameters of a command line; of several equal ones the last counts."""
    found: dict[str, int] = {}
    warnings: list[str] = []
    for word in text.split():
        key, _, value = word.partition("=")
        wanted = not key.startswith("no-")
        if not _take(key.removeprefix("no-"), value, wanted, found):
            warnings.append(f'parameter "{key}" has invalid value "{value}", rc=-22!')
    made = CommandLine(warnings=tuple(warnings))
    return msgspec.structs.replace(made, **found) if found else made


def _take(key: str, value: str, wanted: bool, found: dict[str, int]) -> bool:
    """Put what one word says into ``found``; False for a value that cannot be used."""
    if key == PASSTHROUGH:
        given = _boolean(value) if value else True
        if given is not None:
            found["passthrough"] = given is wanted
        return given is not None
    if key == IOMMU:
        if not wanted and value:
            return False
        for given in map(_boolean, (value if wanted else "no").split(",")):
            if given is not None:
                found["iommu"] = given
        return True
    if key == DOM0:
        return all(_dom0(item, found) for item in _items(value, DOM0_AGENT))
    return True


def _dom0(item: str, found: dict[str, int]) -> bool:
    number = _integer(item)
    if number is None or not 0 <= number <= AGENT_ID_MAX:
        return False
    found["dom0_agent"] = number
    return True


def _items(value: str, name: str) -> Iterator[str]:
    """The values of the sub-option ``name``."""
    for item in value.split(","):
        key, equals, rest = item.partition("=")
        if equals and key == name:
            yield rest


def _boolean(text: str) -> bool | None:
    if text in TRUE or text in FALSE:
        return text in TRUE
    return None


def _integer(text: str) -> int | None:
    """Decimal, hexadecimal or octal, as C tells them apart; None when something else is left."""
    if not _INTEGER.fullmatch(text):
        return None
    digits = text.lstrip("+-")
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") and len(digits) > 1 else 10
    try:
        number = int(digits, base)
    except ValueError:
        return None
    return -number if text.startswith("-") else number
