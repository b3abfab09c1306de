"""Pokes: what is asked of the platform, and what is said before."""

from pathlib import Path

import pytest

from deploy import control
from deploy.errors import UserError
from deploy.top.model import Model, Row
from deploy.top.pokes import POKES
from tests.deploy.top.scripted import look, row

BY_KEY = {poke.key: poke for poke in POKES}


def one(**more: object) -> Row:
    (found,) = Model().look(look(1.0, row("ivi", 3, **more))).rows  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(
    ("key", "text", "request_", "said"),
    [
        ("c", " /a/b.cfg ", control.Create("/a/b.cfg"), "/a/b.cfg"),
        ("d", "", control.Destroy("ivi"), "agent 3 is reset"),
        ("r", "", control.Reboot("ivi"), "created again"),
        ("x", "", control.Kill("ivi", "KILL"), "on_crash"),
        ("b", "sensor 3", control.Inject("sensor", 3, True), "HARDWARE_ERROR"),
        ("m", " reset  1", control.Inject("reset", 1, False), "reset 1: it works again"),
        ("z", "firmware", control.Kill("firmware", "STOP"), "EL3 answers nobody"),
        ("z", "xen", control.Kill("xen", "STOP"), "nothing moves"),
        ("z", "ivi", control.Kill("ivi", "STOP"), "stands still"),
        ("g", "ivi ", control.Kill("ivi", "CONT"), "go on"),
    ],
)
def test_each_poke(key: str, text: str, request_: control.Request, said: str) -> None:
    poke = BY_KEY[key]
    assert poke.request(one(), text) == request_
    assert said in poke.will(one(), text)
    assert bool(poke.wants) is bool(text)


@pytest.mark.parametrize(
    ("key", "text"),
    [("c", " "), ("b", ""), ("b", "sensor"), ("b", "sensor x"), ("m", "clock 3"), ("z", ""), ("g", " ")],
)
def test_what_cannot_be_asked_is_told_before(key: str, text: str) -> None:
    with pytest.raises(UserError, match="give"):
        BY_KEY[key].request(one(), text)


def test_a_relative_path_is_the_users_not_the_platforms() -> None:
    assert BY_KEY["c"].request(one(), "x.cfg") == control.Create(str(Path.cwd() / "x.cfg"))


def test_dom0_takes_the_platform_with_it() -> None:
    assert "the platform goes down" in BY_KEY["x"].will(one(domid=0), "")
    assert "it has no agent" in BY_KEY["d"].will(one(agent_id=None), "")


def test_keys_are_told_apart() -> None:
    assert len(BY_KEY) == len(POKES)
