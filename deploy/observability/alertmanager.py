"""Alertmanager that shows alerts and tells nobody: its configuration, its command line. It starts nothing."""

from pathlib import Path

import msgspec

from deploy.observability.ports import LOOPBACK
from deploy.observability.rules import INHIBIT

CONFIG = "alertmanager.yml"
DATA = "alerts"
NOBODY = "nobody"
READY = "/-/ready"


def config() -> bytes:
    """Alerts of one cluster and name belong together; whoever wants to be told replaces the receiver."""
    found = {
        "route": {
            "receiver": NOBODY,
            "group_by": ["alertname", "cluster"],
            "group_wait": "1s",
            "group_interval": "5s",
        },
        "receivers": [{"name": NOBODY}],
        "inhibit_rules": [INHIBIT],
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def words(program: Path, folder: Path, port: int) -> list[str]:
    """The command line; without the empty cluster address it would open a port for its like."""
    return [
        str(program),
        f"--config.file={CONFIG}",
        f"--storage.path={folder / DATA}",
        f"--web.listen-address={LOOPBACK}:{port}",
        f"--web.external-url=http://{LOOPBACK}:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
