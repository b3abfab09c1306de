"""The registry over real sockets: keys decide who gets in, and whose connection it is."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bus.links import LinkError
from bus.links.porch import BUDGET
from deploy.launching import messages as m
from deploy.launching.identity import Identity
from deploy.launching.keyring import FreshKeys, Keys
from deploy.launching.registry import Counted, Expect, Registry, Said
from deploy.launching.registry_link import News, RegistryLink
from deploy.launching.wires import DealerWire, RouterWire, new_keys

CLUSTER = "ab" * 16
IVI = Identity(CLUSTER, "guest", "ivi", 1)
ASKED = m.Register(1, m.VERSION, CLUSTER, "guest", "ivi", 1, "boot", "lab3", 77)
PATIENCE_S = 10.0
LEASE_NS = 60_000_000_000


class Desk:
    """A registry that listens, and the connections to it."""

    def __init__(self, keys: Keys | None = None) -> None:
        self.keys = keys or FreshKeys()
        wire = RouterWire("tcp://127.0.0.1:*", self.keys.secret, lambda key: self.keys.who(key) is not None)
        self.link = RegistryLink(Registry(CLUSTER, self.keys.who, LEASE_NS), wire, {})
        self.link.submit(Expect(IVI, b"spec"))
        self.news: list[News] = []
        self._wires: list[DealerWire] = []

    def connect(self, secret: bytes) -> DealerWire:
        self._wires.append(DealerWire(self.link.endpoint, secret, self.keys.public))
        return self._wires[-1]

    def until(self, done: Callable[[], object]) -> None:
        """Wait for it, taking what the registry has."""
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline, self.news
            self.news += self.link.take()
            time.sleep(0.005)

    def ask(self, wire: DealerWire, message: m.FromNode) -> m.ToNode:
        """The answer to it."""
        self.until(lambda: wire.send(m.encode(message)))
        return self.hear(wire)

    def hear(self, wire: DealerWire) -> m.ToNode:
        found: list[bytes] = []
        self.until(lambda: found or found.extend(filter(None, [wire.receive()])) or found)
        answer: m.ToNode = m.to_node(found[0])
        return answer

    def close(self) -> None:
        for wire in self._wires:
            wire.close()
        self.link.close()
        self.link.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


def test_the_key_of_a_name_gets_in_as_that_name(desk: Desk) -> None:
    wire = desk.connect(desk.keys.node("guest", "ivi"))
    assert desk.ask(wire, ASKED) == m.Accepted(1, 1, LEASE_NS, b"spec", False, "")
    answer = desk.ask(wire, m.Renew(2, 0, -1, 0))
    assert isinstance(answer, m.Renewed)
    desk.until(lambda: len(desk.news) == 2)
    assert desk.news == [Said(IVI, ASKED), Said(IVI, m.Renew(2, 0, -1, 0))]


def test_a_key_that_nobody_was_given_stays_outside(desk: Desk) -> None:
    wire = desk.connect(new_keys()[1])
    desk.until(lambda: desk.link.strangers["handshake"])
    assert not wire.send(m.encode(ASKED)), "there is no connection"


def test_another_names_key_and_a_second_process_are_told_so(desk: Desk) -> None:
    first = desk.connect(desk.keys.node("guest", "ivi"))
    desk.ask(first, ASKED)
    other = desk.connect(desk.keys.node("guest", "tcu"))
    refused = desk.ask(other, ASKED)
    assert isinstance(refused, m.Refused)
    assert refused.word == "role"
    twin = desk.connect(desk.keys.node("guest", "ivi"))
    refused = desk.ask(twin, ASKED)
    assert isinstance(refused, m.Refused)
    assert refused.word == "taken"
    assert isinstance(desk.ask(first, m.Renew(2, 0, -1, 0)), m.Renewed)
    desk.until(lambda: sum(isinstance(one, Counted) for one in desk.news) == 2)


@pytest.mark.parametrize("junk", [b"", b"\xc1", b"\x91\xa8register", b"\x92\xa4exit\xc0", b"x" * 65_536])
def test_what_does_not_parse_is_refused(desk: Desk, junk: bytes) -> None:
    wire = desk.connect(desk.keys.node("guest", "ivi"))
    desk.until(lambda: wire.send(junk))
    refused = desk.hear(wire)
    assert isinstance(refused, m.Refused)
    assert refused.word == "malformed"
    assert desk.link.failure is None


def test_an_address_that_is_none_is_said() -> None:
    public, secret = new_keys()
    with pytest.raises(LinkError, match="no address"):
        DealerWire("tcp://", secret, public)
    with pytest.raises(LinkError, match="cannot listen"):
        RouterWire("tcp://203.0.113.1:1", secret, lambda key: False)


def test_a_crowd_of_strangers_is_kept_out_and_members_do_not_notice(desk: Desk) -> None:
    member = desk.connect(desk.keys.node("guest", "ivi"))
    assert isinstance(desk.ask(member, ASKED), m.Accepted)
    host, _, port = desk.link.endpoint.removeprefix("tcp://").rpartition(":")
    with ExitStack() as crowd:
        for _ in range(2 * BUDGET):
            one = crowd.enter_context(socket.socket())
            one.bind(("127.0.0.2", 0))
            one.setblocking(False)
            one.connect_ex((host, int(port)))
        desk.until(lambda: desk.link.strangers["kept_out"])
        assert isinstance(desk.ask(member, m.Renew(1, 0, -1, 0)), m.Renewed)
