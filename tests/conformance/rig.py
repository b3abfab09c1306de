"""What a scenario sees of a transport: nodes that run, ports to talk to Xen through, waiting for an event.

A ``Rig`` runs the nodes under test; everything else that speaks on the bus is the scenario's, through
``Port``s. It does not know what a scenario is about. Two rigs: ``rig_simulated`` and ``rig_zeromq``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bus import frames

VERSION = frames.PROTOCOL_VERSION
FIRMWARE = b"F" * 32
TOOLSTACK = b"T" * 32
T = TypeVar("T")


class XenSpec(msgspec.Struct, frozen=True):
    """How Xen boots: the host tree, the boot domains' partial trees, and what kind of machine it is on.

    ``pages`` is the folder of the shared pages; empty when pages travel in frames. ``profile`` names the
    version of the driver.
    """

    host: str
    partials: Mapping[str, str] = {}
    acpi: bool = False
    smccc_version: int = 0x1_0001
    pages: str = ""
    profile: str = "v11"
    strict: bool = False
    command_line: str = ""
    cluster: str = ""


class Got(msgspec.Struct, frozen=True):
    """A message that arrived at a port."""

    frame: Any
    page: bytes


class Port:
    """One peer of Xen, played by the scenario. ``on_message`` takes messages at once, else ``inbox`` does."""

    def __init__(self, rig: "Rig", name: str, post: Callable[[bytes, bytes], bool]) -> None:
        self._rig = rig
        self._post = post
        self._request = 0
        self.name = name
        self.inbox: list[Got] = []
        self.on_message: Callable[[Got], None] | None = None
        self._cut: list[tuple[bool, bytes, bytes]] | None = None

    def cut(self) -> None:
        """From now on nothing gets through either way: it waits."""
        self._cut = []

    @property
    def waiting(self) -> int:
        """How many messages wait for that."""
        return len(self._cut or ())

    def heal(self) -> None:
        """All that has waited gets through, in order."""
        waited, self._cut = self._cut or [], None
        for outward, envelope, page in waited:
            if outward:
                self.send_raw(envelope, page)
            else:
                self.arrived(envelope, page)

    def next_request(self) -> int:
        self._request += 1
        return self._request

    def send(self, frame: Any, page: bytes = b"") -> None:
        self.send_raw(frames.encode(frame), page)

    def send_raw(self, envelope: bytes, page: bytes = b"") -> None:
        if self._cut is not None:
            self._cut.append((True, envelope, page))
            return
        assert self._post(envelope, page), f"{self.name} cannot send"

    def arrived(self, envelope: bytes, page: bytes) -> None:
        """Called by the rig for every message to this port."""
        if self._cut is not None:
            self._cut.append((False, envelope, page))
            return
        got = Got(frames.decode(envelope), page)
        if self.on_message is None:
            self.inbox.append(got)
        else:
            self.on_message(got)

    def take(self, request: int, *kinds: type) -> Got | None:
        """The message that answers ``request``, out of the inbox, or None."""
        for at, got in enumerate(self.inbox):
            if got.frame.request == request and (not kinds or isinstance(got.frame, kinds)):
                return self.inbox.pop(at)
        return None

    def answer_to(self, request: int, *kinds: type) -> Got:
        """Wait for the message that answers ``request``."""
        return self._rig.wait(lambda: self.take(request, *kinds), f"an answer to {self.name}'s {request}")

    def hello(self, role: str) -> frames.Welcome:
        """Say Hello and wait for Xen's Welcome; what Xen sent here before that has arrived by then."""
        request = self.next_request()
        seen: list[Got] = []
        before = self.on_message

        def watch(got: Got) -> None:
            if isinstance(got.frame, frames.Welcome) and got.frame.request == request:
                seen.append(got)
            elif before is not None:
                before(got)
            else:
                self.inbox.append(got)

        self.on_message = watch
        self.send(frames.Hello(VERSION, request, 0, role))
        found = self._rig.wait(lambda: seen[0] if seen else None, f"Xen's Welcome for {self.name}")
        self.on_message = before
        return found.frame


class Rig(ABC):
    """Runs Xen, and EL3 if asked to. ``lines`` are (level, text) of their logs, ``halted`` why Xen ended."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.halted: str | None = None

    @abstractmethod
    def start_xen(self, spec: XenSpec) -> None:
        """Start the node under test; its link is open when this returns."""

    @abstractmethod
    def start_firmware(self, platform: Path, pages: str = "") -> None:
        """Start the real EL3 node; it says Hello to Xen on its own."""

    @abstractmethod
    def open(self, name: str, identity: bytes) -> Port:
        """A port with an identity that Xen was told of, or not."""

    @abstractmethod
    def shut(self, port: Port) -> None:
        """The peer behind ``port`` is gone."""

    @abstractmethod
    def pump(self) -> bool:
        """Let something arrive somewhere; False if nothing will."""

    @abstractmethod
    def stop(self) -> None:
        """End everything that was started."""

    def wait(self, done: Callable[[], T | None], what: str) -> T:
        """Pump until ``done`` gives something true; fails with the nodes' logs when nothing comes."""
        while True:
            found = done()
            if found:
                return found
            if not self.pump():
                log = "\n".join(f"  {level}: {text}" for level, text in self.lines)
                raise AssertionError(f"{what} never came; Xen halted: {self.halted}; the log:\n{log}")

    def warned(self, text: str) -> bool:
        """Whether a line of the log at warning or error contains ``text``."""
        return any(text in line for level, line in self.lines if level in ("warning", "error"))
