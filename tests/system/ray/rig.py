"""Several "hosts" on this machine: each has its own processes, network, mounts, name and clock.

The switch is a bridge in a network namespace of its own, so no address of a host is reachable from outside or
leads there. Nothing has a name on this machine, so rigs side by side do not meet. A host that is killed is
gone as if its plug was pulled; a cable can be cut and healed. Needs root, ip(8), nsenter(1), unshare(1).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

TOOLS = ("ip", "nsenter", "unshare")
NETWORK = "10.83.0"
CABLE = "lab0"
APART_S = 100_000  # the clocks of two hosts
INIT = Path(__file__).with_name("init.py")


def missing() -> str:
    """Why there can be no rig here; empty if there can."""
    if os.geteuid():
        return "namespaces need root"
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"{', '.join(lacking)} is not installed" if lacking else ""


def _checked(words: Sequence[str]) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True, timeout=20)


class Namespaces:
    """Processes of their own kind, until ``kill``. ``pid``: of their first one, as this machine counts.
    ``ahead_s``: of this machine, by their clock.
    """

    def __init__(self, name: str, ahead_s: int = 0) -> None:
        self.name = name
        kinds = ("--net", "--mount", "--pid", "--uts", "--mount-proc", "--time", f"--monotonic={ahead_s}")
        words = ("unshare", *kinds, "--fork", "--kill-child", sys.executable, "-S", str(INIT), name)
        self._keeper = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._keeper.stdout is not None
        said = self._keeper.stdout.readline()
        assert said == b"ready\n", f"{name}: no namespaces"
        children = Path(f"/proc/{self._keeper.pid}/task/{self._keeper.pid}/children")
        self.pid = int(children.read_text(encoding="ascii"))

    def inside(self, words: Sequence[str]) -> tuple[str, ...]:
        """The command that runs ``words`` there."""
        return ("nsenter", "-t", str(self.pid), "-n", "-m", "-p", "-u", "-T", "--", *words)

    def there(self) -> list[int]:
        """All processes there, as this machine counts them."""
        own = os.readlink(f"/proc/{self.pid}/ns/pid")
        found = []
        for entry in os.listdir("/proc"):
            with suppress(OSError):
                if entry.isdigit() and os.readlink(f"/proc/{entry}/ns/pid") == own:
                    found.append(int(entry))
        return found

    def kill(self) -> None:
        """At once and for good. Safe to call twice."""
        self._keeper.kill()
        self._keeper.wait()
        for pipe in (self._keeper.stdin, self._keeper.stdout):
            if pipe is not None:
                pipe.close()


class Rig:
    """``hosts`` by name; the n-th has the address NETWORK.n, counted from 1."""

    def __init__(self, names: Sequence[str]) -> None:
        self.addresses = {name: f"{NETWORK}.{number}" for number, name in enumerate(names, 1)}
        self.hosts: dict[str, Namespaces] = {}
        self._started: list[subprocess.Popen[Any]] = []
        self._switch = Namespaces("switch")
        try:
            self._in_switch("link", "add", "br0", "type", "bridge")
            self._in_switch("link", "set", "br0", "up")
            for name in names:
                self._plug(name)
        except BaseException:
            self.close()
            raise

    def _in_switch(self, *words: str) -> None:
        _checked(self._switch.inside(("ip", *words)))

    def _plug(self, name: str) -> None:
        host = self.hosts[name] = Namespaces(name, len(self.hosts) * APART_S)
        end = ("peer", "name", CABLE, "netns", str(host.pid))
        _checked(
            ("nsenter", "-t", str(self._switch.pid), "-n", "ip", "link", "add", name, "type", "veth", *end)
        )
        self._in_switch("link", "set", name, "master", "br0", "up")
        for words in (
            ("link", "set", "lo", "up"),
            ("addr", "add", f"{self.addresses[name]}/24", "dev", CABLE),
            ("link", "set", CABLE, "up"),
        ):
            _checked(host.inside(("ip", *words)))

    def start(
        self, name: str, words: Sequence[str], env: Mapping[str, str], **how: Any
    ) -> subprocess.Popen[Any]:
        """A process on a host; it does not outlive it."""
        process = subprocess.Popen(self.hosts[name].inside(words), env=dict(env), **how)
        self._started.append(process)
        return process

    def cut(self, name: str) -> None:
        """Pull a host's cable out of the switch."""
        self._in_switch("link", "set", name, "down")

    def heal(self, name: str) -> None:
        self._in_switch("link", "set", name, "up")

    def kill(self, name: str) -> None:
        """A host's plug is pulled."""
        self.hosts.pop(name).kill()

    def close(self) -> None:
        """Safe to call twice."""
        for name in list(self.hosts):
            self.kill(name)
        self._switch.kill()
        for process in self._started:
            process.kill()
            process.wait()
        self._started.clear()
