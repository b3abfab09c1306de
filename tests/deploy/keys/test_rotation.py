"""The steps of THREATS.md's rotation, with a registry that listens and an authority in files."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from deploy.keys.authority import Authority, create
from deploy.launching import messages as m
from deploy.launching.identity import Identity
from deploy.launching.registry import Expect
from tests.deploy.launching.test_wires import ASKED, CLUSTER, Desk

IVI = ("guest", "ivi")
SECOND = msgspec.structs.replace(ASKED, incarnation=2)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return create(tmp_path / "keys", [IVI])


@pytest.fixture
def desk(authority: Authority) -> Iterator[Desk]:
    made = Desk(Authority(authority.path))
    yield made
    made.close()


def reboot(desk: Desk) -> None:
    """What the supervisor does when the domain is started again."""
    desk.link.submit(Expect(Identity(CLUSTER, *IVI, 2), b"spec"))


def test_a_rotated_nodes_process_works_on_until_it_is_started_again(desk: Desk, authority: Authority) -> None:
    old = desk.connect(authority.node(*IVI))
    assert isinstance(desk.ask(old, ASKED), m.Accepted)
    authority.rotate("ivi", grace_s=60.0)
    assert isinstance(desk.ask(old, m.Renew(1, 0, -1, 0)), m.Renewed)
    reboot(desk)
    new = desk.connect(authority.node(*IVI))
    assert isinstance(desk.ask(new, SECOND), m.Accepted)
    assert isinstance(desk.ask(old, m.Renew(2, 0, -1, 0)), m.Refused), "it was replaced"


def test_a_revoked_nodes_process_is_heard_no_more_and_does_not_come_back(
    desk: Desk, authority: Authority
) -> None:
    stolen = authority.node(*IVI)
    link = desk.connect(stolen)
    assert isinstance(desk.ask(link, ASKED), m.Accepted)
    authority.revoke("ivi")
    answer = desk.ask(link, m.Renew(1, 0, -1, 0))
    assert isinstance(answer, m.Refused)
    assert answer.word == "stranger"
    desk.connect(stolen)
    desk.until(lambda: desk.link.strangers["handshake"])


def test_a_thief_with_the_old_key_is_outside_when_the_grace_is_over(desk: Desk, authority: Authority) -> None:
    stolen = authority.node(*IVI)
    authority.rotate("ivi", grace_s=0.0)
    desk.connect(stolen)
    desk.until(lambda: desk.link.strangers["handshake"])
    reboot(desk)
    assert isinstance(desk.ask(desk.connect(authority.node(*IVI)), SECOND), m.Accepted)


def test_a_rotated_authority_is_not_the_one_that_nodes_look_for(desk: Desk, authority: Authority) -> None:
    """A node that was told the old key does not speak to whoever has the new one, and the other way round."""
    before = authority.public
    authority.rotate_authority()
    changed = Desk(Authority(authority.path))
    try:
        assert changed.keys.public != before
        assert isinstance(changed.ask(changed.connect(authority.node(*IVI)), ASKED), m.Accepted)
    finally:
        changed.close()
