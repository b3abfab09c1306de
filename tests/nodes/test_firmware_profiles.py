"""The table of firmwares: every difference has its fact, every name in it means something."""

import msgspec
import pytest

from bus.scmi import BY_ID, BY_KEY, header
from bus.scmi.status import Status
from nodes.firmware.profile import DEFAULT, PROFILES, FirmwareProfile, chosen
from tests.nodes.el3 import MANAGER, TWO, Bench

ABOUT = {"name", "title", "facts", "options"}
FACTS = [field.name for field in msgspec.structs.fields(FirmwareProfile) if field.name not in ABOUT]
every = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)


def test_which_there_are() -> None:
    assert set(PROFILES) == {
        *("spec-strict", "tfa", "tfa-multiagent", "optee-smt", "optee-msg", "scp-firmware", "imx-sm")
    }
    assert DEFAULT.name == "spec-strict"
    assert DEFAULT.facts == {}


@every
def test_each_difference_has_its_fact_and_each_fact_is_a_difference(profile: FirmwareProfile) -> None:
    differs = {field for field in FACTS if getattr(profile, field) != getattr(DEFAULT, field)}
    assert differs == set(profile.facts)
    assert all(profile.facts.values())


@every
def test_it_speaks_of_protocols_and_commands_that_exist(profile: FirmwareProfile) -> None:
    for name in profile.missing:
        key, _, command = name.partition(".")
        assert key == "*" or BY_KEY[key].command(command) is not None, name
    served = {0x10, *(profile.protocols if profile.protocols is not None else BY_ID)}
    assert served <= set(BY_ID)
    assert set(profile.versions) <= served
    assert set(profile.unknown_resource) <= served
    for protocol, version in profile.versions.items():
        assert BY_ID[protocol].versions[0] <= version <= BY_ID[protocol].version


@every
def test_it_travels(profile: FirmwareProfile) -> None:
    for one in (profile, *(chosen(f"{profile.name}+{option}") for option in profile.options)):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=FirmwareProfile) == one


def test_an_option_is_one_more_difference() -> None:
    both = chosen("imx-sm+checksum+tokens")
    assert (both.name, both.checksum, both.token_gaps) == ("imx-sm+checksum+tokens", True, "refused")
    assert set(both.facts) - set(PROFILES["imx-sm"].facts) == {"checksum", "token_gaps"}
    assert chosen("imx-sm") == PROFILES["imx-sm"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tf-a", "there is no firmware profile 'tf-a'; there are spec-strict, tfa, tfa-multiagent"),
        ("tfa+checksum", "tfa has no option 'checksum'; its options: none"),
        ("imx-sm+crc", "imx-sm has no option 'crc'; its options: checksum, tokens"),
        ("", "there is no firmware profile ''"),
    ],
)
def test_what_cannot_be_chosen(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        chosen(text)
    assert complaint in str(caught.value)


@every
def test_a_message_that_is_no_command(profile: FirmwareProfile) -> None:
    if profile.area == "msg":
        return  # its messages come another way; the ladder is the same
    bench = Bench(profile=profile)
    for protocol in (0x10, 0x14):
        head = header.pack(protocol, 0, message_type=header.MessageType.NOTIFICATION)
        assert bench.raw(TWO, head)[0] is profile.wrong_type


@every
def test_it_serves_what_it_says(profile: FirmwareProfile) -> None:
    """Version, by protocol; what it does not serve it does not know."""
    if profile.area == "msg":
        return
    bench = Bench(profile=profile)
    served = {service.table.id for service in bench.core.services}
    for protocol, table in BY_ID.items():
        status, body = bench.raw(MANAGER, header.pack(protocol, 0))
        if protocol in served:
            assert int.from_bytes(body, "little") == profile.versions.get(protocol, table.version)
        else:
            assert status is Status.NOT_SUPPORTED
    if profile.protocols is not None:
        assert served <= {0x10, *profile.protocols}
