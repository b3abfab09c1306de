"""xl.cfg files: the format as xl scans it, and the keys that mean something here."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.errors import UserError
from deploy.xl.cfg import DomainConfig, parse
from deploy.xl.syntax import settings as parse_settings

Read = Callable[[str | bytes], DomainConfig]

GUEST = """\
# A driver domain.
name = "domd"  # trailing remark
kernel = '/boot/Image'
vcpus = 0x2; memory = 512
extra = "console=hvc0"
extra += " root=/dev/xvda1"
iomem = [
    "47ff2,1@22001",   # the channel

    'e6e60,1',
]
iomem += [ "e6e61,1" ]
dtdev = [ "/soc/ethernet@e6800000", "/soc/gpu", ]
irqs = [ 112, "1019" ]
device_tree = "domd.dtb"
arm_sci = "type=scmi_smc_multiagent,agent_id=2"
on_crash = "rename-restart"
vif = [ [ "nested", 1 ], [] ]
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_parse(text: str | bytes) -> DomainConfig:
        path = tmp_path / "guest.cfg"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return parse(path)

    return write_and_parse


@pytest.mark.parametrize(
    ("lines", "iommu"),
    [
        ("", False),
        ("dtdev = []", False),
        ('dtdev = ["/soc/gpu"]', True),
        ('passthrough = "default"', False),
        ('passthrough = "default"; dtdev = ["/soc/gpu"]', True),
        ('passthrough = "enabled"', True),
        ('passthrough = "share_pt"', True),
        ('passthrough = "disabled"', False),
        ('passthrough = "disabled"; dtdev = ["/soc/gpu"]', False),
    ],
)
def test_who_has_the_use_of_the_iommu(read: Read, lines: str, iommu: bool) -> None:
    assert read(f'name = "domd"\n{lines}\n').iommu() is iommu


def test_a_whole_guest(read: Read, tmp_path: Path) -> None:
    config = read(GUEST)
    assert config.name == "domd"
    assert config.arm_sci == "type=scmi_smc_multiagent,agent_id=2"
    assert config.iomem == ("47ff2,1@22001", "e6e60,1", "e6e61,1")
    assert config.dtdev == ("/soc/ethernet@e6800000", "/soc/gpu")
    assert config.irqs == ("112", "1019")
    assert config.device_tree == tmp_path / "domd.dtb"
    assert (config.vcpus, config.memory) == (2, 512)
    assert (config.on_poweroff, config.on_reboot, config.on_crash) == ("destroy", "restart", "rename-restart")
    assert config.ignored == ("kernel", "extra", "vif")
    assert config.place("arm_sci") == f"{tmp_path / 'guest.cfg'}:16: arm_sci"
    assert config.place("cpus") == f"{tmp_path / 'guest.cfg'}: cpus"


@pytest.mark.parametrize("item", ["112 junk", "[1]"])
def test_irqs_that_are_no_list_of_words(read: Read, item: str) -> None:
    with pytest.raises(UserError, match=r"guest.cfg:2: "):
        read(f"name = 'a'\nirqs = [ {item} ]\n")


def test_the_least_guest_has_the_defaults_of_xl(read: Read) -> None:
    config = read("name='a'")
    assert (config.arm_sci, config.iomem, config.dtdev, config.device_tree) == (None, (), (), None)
    assert (config.vcpus, config.memory) == (1, None)
    assert (config.on_poweroff, config.on_reboot, config.on_crash) == ("destroy", "restart", "destroy")
    assert config.ignored == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", {"a": "1"}),
        ("a = 0x1f", {"a": "0x1f"}),
        ("a = 'x#y'", {"a": "x#y"}),
        (r'a = "q\"q\\\n"', {"a": 'q"q\\\n'}),
        ("a = []", {"a": []}),
        ("a = [\n]", {"a": []}),
        ("a = [1,\n\n2 # two\n]", {"a": ["1", "2"]}),
        ("a = [[1],[[]],]", {"a": [["1"], [[]]]}),
        ("a=1;b=2;;c=3;", {"a": "1", "b": "2", "c": "3"}),
        ("a=1\na=2", {"a": "2"}),
        ("a+='x'", {"a": "x"}),
        ("a='x'\na+='y'", {"a": "xy"}),
        ("a=[1]\na+=[2,3]", {"a": ["1", "2", "3"]}),
        ("", {}),
        ("# only a remark", {}),
        ("\n;\n", {}),
    ],
)
def test_the_grammar(text: str, expected: dict[str, object]) -> None:
    assert {key: found.value for key, found in parse_settings(text, "f").items()} == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "f:1: expected '=' or '\\+=' after 'a', found the end of the file"),
        ("a =", "f:1: expected a number, a quoted string"),
        ("a =\n1", "f:1: expected a number, a quoted string or a \\[list\\], found the end of the line"),
        ("\na = 1 2", "f:2: expected a new line"),
        ("= 1", "f:1: expected a key"),
        ("'a' = 1", "f:1: expected a key"),
        ("a = [1", "f:1: expected ',' or '\\]' in the list opened on line 1"),
        ("a = [1 2]", "f:1: expected ','"),
        ("a = [,]", "f:1: expected a number"),
        ("a = [1,,2]", "f:1: expected a number"),
        ("\n\na = yes", "f:3: expected a number, a quoted string"),
        ("Name = 1", "f:1: unexpected 'Name = 1': keys are lower case"),
        ('a = "x', "f:1: .* the string is not closed"),
        ('a = "x\ny"', "f:1: .* the string is not closed"),
        ("a = 1\r\n", "f:1: .* Unix line ends"),
        ("a = -1", "f:1: .* quote the text"),
        (r'a = "\x41"', "f:1: unknown escape"),
        ("a = 1\na += [1]", "f:2: a: cannot add a \\[list\\]"),
        ("a = [1]\na += 1", "f:2: a: cannot add a \\[list\\]"),
        ("a = " + "[" * 9, "f:1: lists nest deeper"),
    ],
)
def test_syntax_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_settings(text, "f")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("vcpus = 0", "guest.cfg:2: vcpus: 0 is out of range; give 1..128"),
        ("vcpus = 129", "vcpus: 129 is out of range"),
        ("vcpus = 'two'", "vcpus: 'two' is not a number"),
        ("vcpus = 08", "vcpus: '08' is not a number"),
        ("vcpus = " + "9" * 5000, "is not a number"),
        ("memory = [1]", "memory: is a list"),
        ("iomem = 'e6e60,1'", "iomem: is not a list"),
        ("dtdev = [['/soc']]", "dtdev: holds a list inside the list"),
        ("arm_sci = ['type=none']", "arm_sci: is a list"),
        ("on_crash = 'explode'", "on_crash: unknown value 'explode'"),
        ("passthrough = 'perhaps'", "passthrough: unknown value 'perhaps'; use one of default, disabled"),
        ("name = ''", "guest.cfg: name: the domain has no name"),
    ],
)
def test_value_errors_name_the_line(read: Read, line: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(f"name = 'a'\n{line}\n")


@pytest.mark.parametrize(("number", "vcpus"), [("1", 1), ("128", 128), ("010", 8), ("'0X10'", 16)])
def test_numbers_are_read_as_c_reads_them(read: Read, number: str, vcpus: int) -> None:
    assert read(f"name='a'\nvcpus={number}").vcpus == vcpus


def test_files_that_cannot_be_read(read: Read, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        parse(tmp_path / "missing.cfg")
    with pytest.raises(UserError, match="is a directory"):
        parse(tmp_path)
    with pytest.raises(UserError, match="is empty"):
        read("")
    with pytest.raises(UserError, match=r"guest\.cfg:2: byte 0xff is not UTF-8"):
        read(b"name='a'\n\xff")
    with pytest.raises(UserError, match="larger than the limit"):
        read(b"#" * (1 << 20) + b"#")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1) | st.text("name=ab'\"[],;+#\n\\ 01x", min_size=1))
def test_any_file_is_a_config_or_one_user_error(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "any.cfg"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        parse(path)
    except UserError as error:
        complaint = str(error)
    else:
        return
    assert complaint.startswith(str(path))
    assert "\n" not in complaint
