"""Plug-ins: the example of the page is installed and used, and a broken one is one clear error."""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bus import shmem
from bus.fields import encode
from bus.scmi import PROTOCOLS, header, trace
from bus.scmi.status import Status
from deploy import assembly, message, plugins, topology
from deploy.errors import UserError

PAGE = Path(plugins.__file__).parent / "PLUGINS.md"


def example(name: str) -> str:
    """The text of a file that the page shows."""
    found = re.search(
        rf"<!-- example:{re.escape(name)} -->\n```\w+\n(.*?)```\n<!-- end -->",
        PAGE.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert found is not None, name
    return found[1]


class Site:
    """A folder on sys.path that packages are installed into; ``modules`` are those to forget afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []

    def install(self, module: str, text: str, name: str = "trapline-fan", point: str = "") -> None:
        (self.folder / f"{module}.py").write_text(text, encoding="utf-8")
        info = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        info.joinpath("entry_points.txt").write_text(f"[{plugins.GROUP}]\n{point or f'fan = {module}'}\n")
        self.modules.append(module)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield made
    for module in made.modules:
        sys.modules.pop(module, None)


def test_the_example_of_the_page_is_found_traced_and_encoded(site: Site) -> None:
    declared = tomllib.loads(example("pyproject.toml"))["project"]
    (point,) = declared["entry-points"][plugins.GROUP].items()
    site.install("fan", example("fan.py"), declared["name"], " = ".join(point))
    (found,), tables = plugins.load()
    assert found.origin == "trapline-fan 1.0, entry point fan"
    assert tables.protocols == (*PROTOCOLS, found.protocol)
    protocol_id, message_id, command, protocol = message.parse_name("fan.speed_set", tables)
    assert (protocol_id, message_id, protocol) == (0x81, 0x4, found.protocol)
    assert command is not None
    payload = message.encode_request(command, ("fan_id=2", "speed=OFF"), found.protocol.version)
    assert payload == b"\2\0\0\0\0\0\0\0"
    line = trace.request_line(header.pack(protocol_id, message_id), payload, tables)
    assert line == "fan.FAN_SPEED_SET(fan_id=2, speed=OFF)"


def test_the_service_of_the_example_does_what_it_says(site: Site) -> None:
    site.install("fan", example("fan.py"))
    (found,), _ = plugins.load()
    made = found.service(None, {"fans": 2})
    assert set(made.handlers) == {row.name for row in found.protocol.commands}
    tables = {row.name: row.request for row in found.protocol.commands}
    for agent, speed in ((1, 900), (2, 1200)):
        assert made.handlers["FAN_SPEED_SET"](agent, tables["FAN_SPEED_SET"](1, speed)) is Status.SUCCESS
    get = tables["FAN_SPEED_GET"](1)
    assert encode(made.handlers["FAN_SPEED_GET"](1, get)) == (1200).to_bytes(4, "little")
    made.reset(2)
    assert encode(made.handlers["FAN_SPEED_GET"](1, get)) == (900).to_bytes(4, "little")
    assert encode(made.handlers["PROTOCOL_ATTRIBUTES"](1, None)) == b"\2\0\0\0"


def test_without_plug_ins_there_is_the_specification() -> None:
    found, tables = plugins.load([])
    assert (found, tables.protocols) == ((), PROTOCOLS)


GOOD = """
from bus.scmi.protocol import Command, Nothing, Protocol
protocol = Protocol({id}, {key!r}, "Fan", (0x10000,), (Command(0x1, {name!r}, Nothing, Nothing),))
service = print
"""


def good(number: int = 0x81, key: str = "fan", name: str = "PROTOCOL_ATTRIBUTES") -> str:
    return GOOD.format(id=number, key=key, name=name)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "1 / 0",
            "importing broken ended with ZeroDivisionError: division by zero; mend it, or uninstall it",
        ),
        ("import sys; sys.exit(3)", "importing broken ended with SystemExit: 3"),
        ("import nowhere_at_all", "importing broken ended with ModuleNotFoundError"),
        ("protocol = 1", "broken.protocol is no bus.scmi.protocol.Protocol; give it the table"),
        (good().replace("service = print", ""), "broken.service is not callable"),
        (good(0x14), "fan: id 0x14 is not a vendor's; take one of 0x80 to 0xff"),
        (good(key="clock"), "two protocols share an id or a key; give one of them another"),
        (good(name="attributes"), "fan: command 'attributes': a name is upper-case"),
    ],
)
def test_a_broken_plug_in_is_one_error_that_names_it(site: Site, text: str, why: str) -> None:
    site.install("broken", text, "broken-fan")
    with pytest.raises(UserError, match=r"^plug-in broken-fan 1\.0, entry point fan: ") as caught:
        plugins.load()
    assert why in str(caught.value)


def test_an_entry_point_that_leads_nowhere_is_an_error() -> None:
    point = EntryPoint("fan", "no_such_module_here", plugins.GROUP)
    with pytest.raises(UserError, match="plug-in an unknown distribution, entry point fan: importing"):
        plugins.load([point])


def test_two_plug_ins_cannot_share_an_id(site: Site) -> None:
    site.install("one", good(), "a-fan", "a = one")
    site.install("two", good(key="blower"), "b-fan", "b = two")
    with pytest.raises(UserError, match=r"plug-in b-fan 1\.0, entry point b: .* share an id or a key"):
        plugins.load()


# ---- in EL3 -----------------------------------------------------------------------------------


def platform_with(text: str, tmp_path: Path) -> Path:
    path = tmp_path / "platform.toml"
    agents = "".join(
        f'[[agent]]\nid = {one}\nname = "a{one}"\nsmc_id = {0x8200_0002 + one}\nshmem = {0x1000 * one}\n'
        f"trusted = {str(one == 1).lower()}\n"
        for one in (1, 2)
    )
    path.write_text(f'name = "cooled"\n{agents}{text}', encoding="utf-8")
    return path


SPEED_SET, SPEED_GET = header.pack(0x81, 0x4), header.pack(0x81, 0x3)


def test_el3_serves_it_with_permissions_settings_and_discovery(site: Site, tmp_path: Path) -> None:
    site.install("fan", example("fan.py"))
    described = topology.read_platform(platform_with(example("platform.toml"), tmp_path))
    core = assembly.firmware(described, shmem.PrivateMemory())
    protocols = core.ladder.answer(2, header.pack(0x10, 0x6), bytes(4))[3]
    assert protocols[4:] == b"\1\0\0\0\x81\0\0\0"
    assert core.ladder.answer(2, header.pack(0x81, 1), b"")[3][4:] == b"\2\0\0\0"

    def set_speed(agent: int, fan: int) -> Status:
        return core.ladder.answer(agent, SPEED_SET, fan.to_bytes(4, "little") + b"\7\0\0\0")[2]

    assert set_speed(2, 0) is Status.DENIED, "fan 0 is in a device that nobody granted"
    assert set_speed(2, 1) is Status.DENIED, "fan 1 is in no device"
    assert set_speed(1, 1) is Status.SUCCESS
    core.permissions.set_device(2, 20, True)
    assert set_speed(2, 0) is Status.SUCCESS
    assert set_speed(2, 2) is Status.NOT_FOUND
    core.permissions.set_protocol(2, 20, 0x81, False)
    assert set_speed(2, 0) is Status.DENIED
    assert core.ladder.answer(1, SPEED_GET, bytes(4))[3][4:] == b"\7\0\0\0"
    core.lifecycle.reset(1, 2, True)
    assert core.last_reset[2].leaks == ()
    assert [entry.thing for entry in core.last_reset[2].before] == ["device 20", "fan 0 speed"]
    assert core.ladder.answer(1, SPEED_GET, bytes(4))[3][4:] == b"\0\0\0\0"


def test_rights_may_name_its_commands(site: Site, tmp_path: Path) -> None:
    site.install("fan", example("fan.py"))
    deny = '[[right]]\nagent = 1\nallow = false\ncommands = ["fan.FAN_SPEED_SET"]\n'
    allow = '[[right]]\nagent = 2\nallow = true\nkind = "fan"\nids = [1]\n'
    path = platform_with(example("platform.toml") + deny + allow, tmp_path)
    core = assembly.firmware(topology.read_platform(path), shmem.PrivateMemory())
    found = {
        (agent, head, fan): core.ladder.answer(agent, head, fan.to_bytes(4, "little") + rest)[2]
        for agent in (1, 2)
        for head, rest in ((SPEED_SET, bytes(4)), (SPEED_GET, b""))
        for fan in (0, 1)
    }
    denied = {one for one, status in found.items() if status is Status.DENIED}
    assert denied == {(1, SPEED_SET, 0), (1, SPEED_SET, 1), (2, SPEED_SET, 0), (2, SPEED_GET, 0)}


def test_a_platform_that_names_none_has_none(site: Site, tmp_path: Path) -> None:
    site.install("fan", example("fan.py"))
    core = assembly.firmware(topology.read_platform(platform_with("", tmp_path)), shmem.PrivateMemory())
    assert core.ladder.answer(1, header.pack(0x81, 1), b"")[2] is Status.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[vendor_protocol]]\nname = "pump"', "vendor_protocol[0].name: no plug-in has protocol 'pump'; "),
        (
            '[[vendor_protocol]]\nname = "fan"\nsettings = { fans = "many" }',
            "plug-in trapline-fan 1.0, entry point fan: its service ended with ValueError: ",
        ),
        (
            '[[vendor_protocol]]\nname = "fan"\n[[device]]\nid = 1\nname = "d"\n'
            "vendor_resources = { pump = [0] }",
            "device[0].vendor_resources: no protocol has the kind 'pump'; ",
        ),
        (
            '[[vendor_protocol]]\nname = "fan"\n[[view]]\nagent = 2\nkind = "fan"\nids = [1]',
            "view[0]: there is no fan 1; correct the number",
        ),
        (
            '[[vendor_protocol]]\nname = "fan"\n[[right]]\nagent = 2\nallow = true\n'
            'commands = ["fan.FAN_STOP"]',
            "right[0].commands: there is no command fan.FAN_STOP; correct it",
        ),
        (
            '[[device]]\nid = 1\nname = "d"\nvendor_resources = { fan = [0] }',
            "device[0].vendor_resources: there is no [[vendor_protocol]]; ",
        ),
    ],
)
def test_what_a_platform_cannot_say_of_them(site: Site, tmp_path: Path, text: str, told: str) -> None:
    site.install("fan", example("fan.py"))
    path = platform_with(text, tmp_path)
    with pytest.raises(UserError, match=re.escape(f"{path}: {told}")):
        topology.read_platform(path)
