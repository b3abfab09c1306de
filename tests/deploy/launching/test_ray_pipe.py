"""The parent's end of the pipe to what talks to Ray, with a child that does not."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from deploy.errors import UserError
from deploy.launching import ray_pipe
from deploy.launching.ray_pipe import READ_BYTES, Connect, Connected, Message, RayPipe, Refused


class Word(Message, frozen=True, tag="word"):
    text: str


decode = msgspec.json.Decoder(Connected | Refused | Word).decode
CONNECT = Connect("here:1")
JOINS = """
import sys
from deploy.launching.ray_pipe import Connected, line
assert int(sys.argv[1]) == __import__("os").getppid()
sys.stdin.buffer.readline()
sys.stdout.buffer.write(line(Connected("there")))
sys.stdout.buffer.flush()
"""
ECHOES = "for one in sys.stdin.buffer: sys.stdout.buffer.write(one); sys.stdout.buffer.flush()\n"
REFUSES = """
from deploy.launching.ray_pipe import Refused, line
print(line(Refused("no room")).decode(), end="")
"""
DEAF = "while True: __import__('signal').pause()"


@pytest.fixture
def pipe_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[RayPipe[Message]]:
    """To a child that is this program."""
    (tmp_path / "peer_of_pipe.py").write_text(request.param, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    pipe: RayPipe[Message] = RayPipe("peer_of_pipe", decode)
    yield pipe
    pipe.close()


@pytest.mark.parametrize("pipe_to", [JOINS + ECHOES], indirect=True)
def test_what_is_said_is_heard_whole_until_the_child_ends(pipe_to: RayPipe[Message]) -> None:
    assert pipe_to.join(CONNECT) == Connected("there")
    assert pipe_to.hear() == []
    said = [Word("x" * 2 * READ_BYTES), Word("y")]
    for word in said:
        pipe_to.say(word)
    heard: list[Message] = []
    while len(heard) < len(said):
        heard += pipe_to.hear(10.0)
    assert heard == said
    assert pipe_to.runs()
    assert not pipe_to.ended
    pipe_to.close()
    pipe_to.close()
    assert not pipe_to.runs()
    assert pipe_to.hear(10.0) == []


@pytest.mark.parametrize("pipe_to", [JOINS], indirect=True)
def test_an_end_is_heard_and_nobody_is_spoken_to_any_more(pipe_to: RayPipe[Message]) -> None:
    pipe_to.join(CONNECT)
    assert pipe_to.hear(10.0) == []
    assert pipe_to.ended
    pipe_to.say(Word("nobody"))
    pipe_to.close()


@pytest.mark.parametrize(
    ("pipe_to", "why"),
    [
        (REFUSES, "no room"),
        ("import sys; sys.exit(3)", "--address here:1: Ray ended, exit code 3"),
    ],
    indirect=["pipe_to"],
)
def test_who_cannot_join_says_why_and_is_gone(pipe_to: RayPipe[Message], why: str) -> None:
    with pytest.raises(UserError, match=why):
        pipe_to.join(CONNECT)
    assert not pipe_to.runs()


@pytest.mark.parametrize("pipe_to", [DEAF], indirect=True)
def test_who_waits_for_ray_does_not_keep_us(
    pipe_to: RayPipe[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not hear that its stdin has ended."""
    monkeypatch.setattr(ray_pipe, "JOIN_S", 0.0)
    monkeypatch.setattr(ray_pipe, "LEAVE_S", 1e6)
    with pytest.raises(UserError, match="--address here:1: not joined within 0 s"):
        pipe_to.join(CONNECT)
    assert not pipe_to.runs()


@pytest.mark.parametrize("pipe_to", [DEAF], indirect=True)
def test_who_is_interrupted_while_joining_does_not_wait(pipe_to: RayPipe[Message]) -> None:
    asked: list[bool] = []

    def interrupted() -> bool:
        asked.append(True)
        return len(asked) == 3

    with pytest.raises(UserError, match="--address here:1: stopped while it was joined"):
        pipe_to.join(CONNECT, interrupted)
    assert not pipe_to.runs()
