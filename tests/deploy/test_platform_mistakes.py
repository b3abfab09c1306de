"""Mistakes in platform.toml: one error with key, rule and fix, the same from ``check`` and from ``up``."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.errors import UserError
from deploy.lint import Inputs, check
from deploy.platform_mistakes import NOTHING, told
from deploy.topology import read_platform, shipped
from nodes.firmware.platform import Platform, problems
from nodes.firmware.platform_examples import EXAMPLES, TOP

TEXT = (shipped() / "platform.toml").read_text(encoding="utf-8")
SENSOR = '\n[[sensor]]\nid = 9\nname = "more"\n'
CONSTANT = 'source = { kind = "constant", value = 1 }'

AXIS = f'{{ name = "x", {CONSTANT} }}'


def edited(old: str, new: str) -> str:
    """The shipped platform with one edit; an empty ``old`` adds to its end."""
    assert old in TEXT
    return TEXT.replace(old, new, 1) if old else TEXT + new


def errors(tmp_path: Path, text: str) -> tuple[str, list[str]]:
    """What ``up`` says, and what ``check`` does."""
    path = tmp_path / "platform.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_platform(path)
    found = check(Inputs((shipped() / "host.dts",), platform=path))
    told = [one.message for one in found if one.rule == "platform-invalid"]
    return str(caught.value).removeprefix(f"{path}: "), told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        # values that the decoder refuses
        ('state = "on"', 'state = "up"', 'power_domain[0].state: \'up\' cannot be; give it "on" or "off"'),
        (
            "p2a_interrupt = 112",
            "p2a_interrupt = 2000",
            "agent[3].p2a_interrupt: 2000 cannot be; give it an int",
        ),
        ("[system_power]", "[[system_power]]", "system_power: a list cannot be; give it a table"),
        (
            "graceful_ms = 500",
            "gracefull_ms = 5",
            "system_power.gracefull_ms: there is no such key; remove it, or",
        ),
        (
            "sensors = [2]",
            "sensor = [2]",
            "device[3].sensor: there is no such key; remove it, or write sensors",
        ),
        (
            "base_uw = 1_500_000",
            "base_uw = -1",
            "powercap_domain[0].base_uw: -1 cannot be; give it an integer, 0",
        ),
        (
            "amplitude = 2_000",
            "amplitude = 1.5",
            "sensor[0].source.amplitude: 1.5 cannot be; give it an integer",
        ),
        (
            'kind = "wave", shape',
            'kind = "wavy", shape',
            "sensor[0].source.kind: 'wavy' cannot be; give it \"const",
        ),
        (
            'kind = "wave", shape',
            "shape",
            'sensor[0].source.kind: it is missing; give it "constant" or "wave"',
        ),
        (
            "amplitude = 2_000, ",
            "",
            "sensor[0].source.amplitude: it is missing; give it an integer, -2^63 to 2^63",
        ),
        ("", f'{SENSOR}source = "wave"', "sensor[3].source: 'wave' cannot be; give it a table with kind = "),
        (
            'name = "soc"',
            'name = "söc"',
            "powercap_domain[0].name: 'söc' cannot be; give it a string of 1 to 63",
        ),
        (
            "drive_strength = [2,",
            'drive_strength = ["2",',
            "pin[0].configs.drive_strength[0]: '2' cannot be; give",
        ),
        (
            "",
            '[[right]]\nagent = 2\nallow = true\ncommands = ["RATE_SET"]',
            "right[0].commands[0]: 'RATE_SET' cannot be",
        ),
        ("shmem = 0x47ff0000", "shmem = 0x10_0000_0000_0000", "agent[0].shmem: 4503599627370496 cannot be"),
        # values that make no sense together
        (
            "shmem = 0x47ff1000",
            "shmem = 0x47ff0040",
            "agent[1].shmem: 0x47ff0040 is in the area of agent[0].shmem;",
        ),
        (
            "0x47fe3000",
            "0x47ff1040",
            "agent[3].p2a_shmem: 0x47ff1040 is in the area of agent[1].shmem; give each a",
        ),
        (
            "0x47fe3000",
            "0x47ff1000",
            "agent[3].p2a_shmem: 0x47ff1000 is the page of another channel; give each its",
        ),
        (
            "p2a_shmem = 0x47fe3000\n",
            "",
            "agent[3].p2a_interrupt: there is no p2a_shmem; the way back needs a page",
        ),
        (
            "async_set = true\nset_us = 300",
            "set_us = 300",
            "clock[6].set_us: only an asynchronous set takes time; set",
        ),
        (
            "async_set = true\nset_us = 150",
            "set_us = 150",
            "voltage_domain[0].set_us: only an asynchronous set takes",
        ),
        ("set_us = 150", "modes = [1, 1]", "voltage_domain[0].modes: a mode is there twice; give each once"),
        (
            "min = 200_000_000",
            "min = 900_000_000",
            "clock[6].rates: min 900000000 is above max 800000000; swap them",
        ),
        (
            "400_000, voltage",
            "410_000, voltage",
            "perf_domain[0].opp[1].frequency_khz: 410000 kHz is no rate of gpu",
        ),
        (
            "",
            f"{SENSOR}{CONSTANT}\naxes = [{AXIS}]",
            "sensor[3]: a sensor has a source or axes; give one of the",
        ),
        (
            "",
            f"{SENSOR}axes = [{AXIS}, {AXIS}]",
            "sensor[3].axes[1].name: 'x' is taken by sensor[3].axes[0]; give",
        ),
        (
            '"gp0-3"',
            '"gp0-3"\nfunction = 2',
            "pin[3].function: no [[pin_function]] has id 2; add it or correct",
        ),
        (
            "groups = [0, 1]",
            "groups = [1]",
            "pin[0].function: i2c is for other pins; name it there or choose another",
        ),
        (
            'name = "soc"',
            'name = "soc"\nparent = 1',
            "powercap_domain[0].parent: 0 is above itself; leave out one",
        ),
        (
            "",
            '[[vendor_protocol]]\nname = "fan"',
            "vendor_protocol[0].name: no plug-in has protocol 'fan'; install",
        ),
    ],
)
def test_a_mistake_is_one_clear_error(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = edited(old, new).replace('"gp0-0"', '"gp0-0"\nfunction = 0', 1)
    up, checked = errors(tmp_path, text)
    assert up.startswith(told)
    rule, _, fix = up.partition("; ")
    assert fix
    assert rule in checked


def test_all_that_makes_no_sense_is_told_by_check(tmp_path: Path) -> None:
    text = edited("set_us = 150", "modes = [1, 1]").replace("400_000, voltage", "410_000, voltage", 1)
    up, checked = errors(tmp_path, text)
    assert [one.partition(":")[0] for one in checked] == [
        "voltage_domain[0].modes",
        "perf_domain[0].opp[1].frequency_khz",
    ]
    assert up.startswith(checked[0])


WRONG: tuple[Any, ...] = (
    "",
    "x",
    "\u00e4",
    -1,
    2**70,
    1.5,
    True,
    [],
    ["x"],
    [{}],
    {},
    {"kind": "wave"},
    {"a": 1},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key of a description, with the first item of every list."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def spoilt(path: tuple[Any, ...], wrong: Any) -> dict[str, Any]:
    """The examples of the reference with one value changed; NOTHING takes it away."""
    made: dict[str, Any] = msgspec.toml.decode(TOP + "".join(EXAMPLES.values()))
    inner: Any = made
    for step in path[:-1]:
        inner = inner[step]
    if wrong is NOTHING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = wrong
    return made


def complaints(raw: dict[str, Any]) -> list[str]:
    try:
        return list(problems(msgspec.convert(raw, Platform)))
    except msgspec.ValidationError as error:
        return [told(str(error), raw)]


def test_whatever_is_wrong_has_a_key_a_rule_and_a_fix() -> None:
    made = [
        one
        for path in places(spoilt(("name",), "x"))
        for wrong in (*WRONG, NOTHING)
        for one in complaints(spoilt(path, wrong))
    ]
    assert len(made) > 1500
    assert [one for one in made if not re.match(r"[\w.\[\]]+: [^;]+; .", one)] == []
    assert [one for one in made if re.search(r"Expected|`|Annotated|msgspec", one)] == []
