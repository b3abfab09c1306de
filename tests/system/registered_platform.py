"""A platform whose nodes are all started by the role command line and heard through the registry.

``python -m tests.system.registered_platform RUN GUESTS LEASE_S``: goes on until told to stop, or until it is
over, which it says on stderr; exit code 1 then.
"""

import sys
from pathlib import Path

from deploy import generated
from deploy.engines.local import Options
from deploy.launching.registered import RegisteredLauncher
from deploy.launching.starter import Subprocesses
from deploy.platform import Platform
from deploy.rundir import RunDirectory
from deploy.toolstack import Work


def options(lease_s: float = 3.0, shared: bool = False) -> Options:
    """Nodes of this machine, as if they were on others."""

    def launcher() -> RegisteredLauncher:
        return RegisteredLauncher(lambda folder: Subprocesses(folder, shared), lease_s=lease_s)

    return Options(tcp_port=0, launcher=launcher)


def main(run: str, guests: str, lease_s: str) -> int:
    topology = generated.topology(int(guests))
    platform = Platform(topology, RunDirectory(Path(run)), options(float(lease_s)), Work(think_ns=1_000_000))
    platform.stop_on_signals()
    try:
        platform.start()
        platform.run()
    finally:
        platform.stop()
    if platform.failure:
        sys.stderr.write(f"trapline: {platform.failure}\n")
    return 1 if platform.failure else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
