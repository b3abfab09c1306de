"""Where the files for Grafana and Prometheus are: in the checkout, or inside an installed wheel.

The wheel carries ``grafana/`` as ``deploy/grafana/`` (pyproject.toml). Nothing is written there.
"""

from pathlib import Path

import deploy
from deploy.errors import UserError

_PACKAGE = Path(deploy.__file__).parent
MARK = "dashboards"


def folder(package: Path = _PACKAGE) -> Path:
    """The folder ``grafana/`` of the ``deploy`` package at ``package``: the checkout's, else the wheel's.

    Raises UserError if neither has dashboards.
    """
    for found in (package.parent / "grafana", package / "grafana"):
        if (found / MARK).is_dir():
            return found
    raise UserError(
        f"{package}: no folder grafana/{MARK} beside it or in it: this installation lacks the dashboards; "
        "install a wheel of Trapline, or run from a checkout"
    )
