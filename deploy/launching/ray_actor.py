"""What runs in Ray's worker on a node's machine: it starts one ``python -m deploy.node`` and waits for it.

It does nothing else, so that a node is the same process under every engine. The node's config and key are
files of mode 0600 in a private folder of this machine; the key pair is made here, and only the public key
leaves. What Ray carries is: who the node is, where the registry is and the registry's public key, signals,
exit codes. Ray itself protects none of that unless its own TLS is switched on, and whoever may submit work
to a Ray cluster may run anything there, as its user. So Ray decides where a node runs and when it is killed;
what a node may say, and to whom, is decided by the registry and Xen, which ask for keys.

The child dies with this process (PR_SET_PDEATHSIG); the thread that starts it stays as long as it runs, for
the kernel watches that thread.
"""

import os
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

import deploy
from deploy.launching import config as node_config
from deploy.launching.config import AUTO, NodeConfig
from deploy.launching.home import Home
from deploy.launching.starter import command
from deploy.launching.wires import new_keys

SAID_BYTES: Final = 2048  # of what a child says on stderr, from its end


class NodeActor:
    """``prepare``, ``begin``, then ``wait``, which tells how the child ended. Methods come in several
    threads.

    ``parent`` takes the private folder; "": the machine's usual one.
    """

    def __init__(self, parent: str = "") -> None:
        self._parent = Path(parent or tempfile.gettempdir())
        self._home: Home | None = None
        self._secret = b""
        self._child: subprocess.Popen[bytes] | None = None
        self._begun = threading.Event()
        self._over = threading.Event()
        self._code: int | None = None
        self._why = ""

    def prepare(self, version: str) -> tuple[str, bytes]:
        """A folder and a key; gives the host's name and the raw public key.

        Raises OSError, RuntimeError for a machine that cannot play nodes of that supervisor.
        """
        if version != deploy.__version__:
            raise RuntimeError(
                f"{socket.gethostname()} has trapline {deploy.__version__}, the supervisor {version}; "
                "install the same on both"
            )
        self._home = Home(self._parent)
        public, self._secret = new_keys()
        return socket.gethostname(), public

    def begin(self, role: str, config: NodeConfig) -> None:
        """Start the child, with addresses of this machine. Raises OSError."""
        assert self._home is not None, "prepare comes first"
        config = msgspec.structs.replace(config, address=AUTO, folder=str(self._home.path))
        path = node_config.write(self._home.path, config, self._secret)
        self._secret = b""
        threading.Thread(target=self._run, args=(command(role, path, os.getpid()),), daemon=True).start()

    def _run(self, words: list[str]) -> None:
        root = str(Path(deploy.__file__).parents[1])
        environment = {**os.environ, "PYTHONPATH": root}
        nothing = subprocess.DEVNULL
        try:
            with tempfile.TemporaryFile() as said:
                self._child = subprocess.Popen(
                    words, stdin=nothing, stdout=nothing, stderr=said, env=environment, start_new_session=True
                )
                self._begun.set()
                self._code = self._child.wait()
                if self._code:
                    said.seek(-min(SAID_BYTES, said.seek(0, os.SEEK_END)), os.SEEK_END)
                    self._why = _last_line(said.read())
        except OSError as error:
            self._why = f"cannot be started: {error}"
        finally:
            self._begun.set()
            self._over.set()

    def wait(self) -> tuple[int | None, str]:
        """Until the child has ended; gives its exit code and the last that it said. Leaves nothing."""
        self._over.wait()
        if self._home is not None:
            self._home.remove()
        return self._code, self._why

    def signal(self, number: int) -> bool:
        """False if the child has ended, or was never begun."""
        child = self._child
        if child is None or child.poll() is not None:
            return False
        with suppress(ProcessLookupError):
            child.send_signal(number)
        return True


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("trapline: ") if lines else ""
