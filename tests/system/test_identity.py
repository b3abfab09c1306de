"""Who a peer is: its link proves it. What a stranger or the wrong peer sends is refused and counted."""

import base64
import stat

import pytest

from bus import frames
from bus.links import XEN
from bus.links.zeromq import DealerLink
from deploy.engines.local import Options
from deploy.platform import Platform
from deploy.specs import tokens
from tests.system.cluster import Cluster
from tests.system.door import HELLO, VERSION, refused, works
from tests.system.local import Local

REGISTERS = (0x82000005, 0, 0, 0, 0, 0, 0, 0)
TRAP = frames.Trap(VERSION, 2, 2, 0x17, 0, REGISTERS, 0x22001000)
FORBIDDEN: tuple[frames.Frame, ...] = (
    frames.Domctl(VERSION, 3, 3, frames.ListDomains()),
    frames.Domctl(VERSION, 4, 4, frames.DestroyDomain(1)),
    frames.Domctl(VERSION, 5, 5, frames.NodeLost("firmware")),
    frames.Domctl(VERSION, 13, 13, frames.NodeExpected("firmware", 2)),
    frames.Console(VERSION, 6, 6, 1, b""),
    frames.Smc(VERSION, 7, 7, REGISTERS, 0),
    frames.SmcReturn(VERSION, 8, 8, (0, 0, 0, 0)),
    frames.Return(VERSION, 9, 9, (0, 0, 0, 0)),
    frames.Welcome(VERSION, 10, 10, 0, "dom0"),
    frames.DomctlReply(VERSION, 11, 11, 0, 0, "", ()),
    frames.Lifecycle(VERSION, 12, 12, 1, "cluster", "dead", ""),
)


def _welcome(platform: Platform, domid: int) -> frames.Welcome:
    cluster = bytes.fromhex(platform.engine.identities.cluster)
    return frames.Welcome(VERSION, 1, 1, domid, "intruder", cluster, 1)


def exchange(link: DealerLink, frame: frames.Frame) -> object:
    """Send a frame, give the answer; None when there is none."""
    link.send(XEN, frames.encode(frame), b"")
    answer = link.receive()
    return None if answer is None else frames.decode(answer[1])


def test_only_the_owner_may_enter(cluster: Cluster) -> None:
    cluster.up("--mapped", "--idle")
    assert stat.S_IMODE(cluster.run.stat().st_mode) == 0o700
    for entry in cluster.run.rglob("*"):
        mode = entry.stat().st_mode
        if stat.S_ISDIR(mode):
            assert stat.S_IMODE(mode) == 0o700, entry
        if stat.S_ISSOCK(mode) or entry.parent.name == "shmem":
            assert stat.S_IMODE(mode) == 0o600, entry
    assert (cluster.run / "xen.sock").is_socket()
    assert (cluster.run / "control.sock").is_socket()


def test_a_name_proves_nothing(local: Local) -> None:
    platform = local.start(guests=False)
    for name in (b"dom0", b"ivi", b"firmware", b"toolstack", b"xen", b"\1" * 32, b"1"):
        before = refused(platform, "unknown_link")
        refused_as(platform, name)
        assert refused(platform, "unknown_link") - before == 2 + len(FORBIDDEN)
    assert platform.failure is None


def refused_as(platform: Platform, name: bytes) -> None:
    """Try everything under a name of one's own choice."""
    link = DealerLink(platform.engine.endpoint, name)
    link.set_timeout_ns(10_000_000_000)
    try:
        for frame in (HELLO, TRAP, *FORBIDDEN):
            answer = exchange(link, frame)
            assert isinstance(answer, frames.Error), frame
            assert (answer.code, answer.definite, answer.request) == ("refused", True, frame.request)
    finally:
        link.close()


def test_a_guest_may_not_speak_as_toolstack_or_el3(local: Local) -> None:
    platform = local.start()
    domid = platform.engine.domctl(frames.CreateDomain("intruder")).domid
    platform.engine.domctl(frames.UnpauseDomain(domid))
    link = DealerLink(platform.engine.endpoint, platform.toolstack.find("intruder").link)
    link.set_timeout_ns(10_000_000_000)
    try:
        assert exchange(link, HELLO) == _welcome(platform, domid)
        for frame in FORBIDDEN:
            answer = exchange(link, frame)
            assert isinstance(answer, frames.Error), frame
            assert (answer.code, answer.definite) == ("refused", True)
        foreign = exchange(link, TRAP)
        assert isinstance(foreign, frames.Return)
        assert foreign.x[0] == 0xFFFF_FFFF_FFFF_FFFF, "ivi's doorbell is not the intruder's"
    finally:
        link.close()
    assert refused(platform, "not_allowed") == len(FORBIDDEN)
    assert [info.name for info in platform.toolstack.list()][:2] == ["dom0", "cluster"]
    works(platform)


def test_no_file_of_a_run_tells_an_identity(local: Local) -> None:
    """Xen tells the toolstack every domain's, in answers that the flight recorder keeps."""
    platform = local.start()
    works(platform)
    credentials = platform.engine._credentials
    links = [info.link for info in platform.toolstack.list()]
    files = [path for path in platform.run_directory.path.rglob("*") if path.is_file()]
    told = {path.name: path.read_bytes() for path in files}
    answers = b"".join(content for name, content in told.items() if name.startswith("toolstack."))
    assert answers.count(b"ivi") > 1, "the answers are there"
    for secret in (*links, *credentials.links, credentials.firmware(1), credentials.toolstack):
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)):
            assert [name for name, content in told.items() if form in content] == []


def test_a_stolen_token_does_not_push_its_owner_out(local: Local) -> None:
    platform = local.start()
    link = DealerLink(platform.engine.endpoint, platform.toolstack.find("ivi").link)
    link.set_timeout_ns(200_000_000)
    try:
        assert exchange(link, HELLO) is None
        works(platform)
        assert link.receive() is None
    finally:
        link.close()


def test_a_token_ends_with_its_incarnation(local: Local) -> None:
    platform = local.start()
    old = platform.toolstack.find("ivi").link
    platform.toolstack.reboot("ivi")
    assert platform.toolstack.find("ivi").link != old
    link = DealerLink(platform.engine.endpoint, old)
    link.set_timeout_ns(10_000_000_000)
    try:
        answer = exchange(link, TRAP)
        assert isinstance(answer, frames.Error)
        assert (answer.code, answer.definite) == ("stale", True)
    finally:
        link.close()
    assert refused(platform, "stale") == 1


@pytest.mark.parametrize("carried", [True, False], ids=["carried", "mapped"])
def test_over_tcp_only_issued_keys_get_in(local: Local, carried: bool) -> None:
    platform = local.start(Options(0, carried))
    engine = platform.engine
    works(platform)
    stranger = DealerLink(engine.endpoint, next(tokens()), engine._credentials.server_key)
    plain = DealerLink(engine.endpoint, b"dom0")
    try:
        for link in (stranger, plain):
            link.set_timeout_ns(300_000_000)
            assert exchange(link, HELLO) is None
    finally:
        stranger.close()
        plain.close()
    assert refused(platform, "handshake") >= 1
    works(platform)


@pytest.mark.parametrize("link", [(), ("--tcp",)], ids=["ipc", "tcp"])
@pytest.mark.parametrize("pages", [(), ("--mapped",)], ids=["carried", "mapped"])
def test_both_links_with_both_page_modes(
    cluster: Cluster, link: tuple[str, ...], pages: tuple[str, ...]
) -> None:
    cluster.up(*link, *pages, "--idle")
    status = cluster.status()
    assert (status["link"], status["pages"]) == ("tcp" if link else "ipc", "mapped" if pages else "carried")
    assert cluster.call("ivi", "clock.CLOCK_RATE_GET", "clock_id=6")["fields"]["rate"]
    denied = cluster.here("call", "ivi", "clock.CLOCK_RATE_SET", "flags=0", "clock_id=7", "rate=13333333")
    assert denied.returncode == 1
    assert "DENIED" in denied.stdout
    assert (cluster.run / "xen.sock").exists() is not bool(link)
