"""Plug-ins: the example of the page is installed and used, and a broken one is one clear error."""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bus.fields import encode
from bus.scmi import PROTOCOLS, header, trace
from bus.scmi.status import Status
from deploy import message, plugins
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
