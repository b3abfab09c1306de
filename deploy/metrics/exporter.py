"""A process' numbers for others: served to Prometheus, announced to it, or given as plain data.

Only the catalogue (``nodes.metrics``) says what exists. Nothing is registered per label set and nothing is
locked while cores count: a scrape copies the dictionaries.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from deploy.files import replace
from deploy.metrics.access import Access
from deploy.metrics.exposition import Page
from deploy.metrics.listening import NONE, Listener, Said
from nodes.meters import Meters
from nodes.metrics import JOB

HERE = Access()


def serve(
    meters: Meters, port: int = 0, access: Access = HERE, others: Mapping[str, Said] = NONE
) -> tuple[int, Callable[[], None]]:
    """Serve the meters, on loopback unless ``access`` says otherwise; gives the port and how to stop.

    ``others`` are pages of their own by path, which may come and go.

    Raises OSError if the port is taken, UserError for certificates that cannot be used any more.
    """
    if not access.serve:
        return 0, lambda: None
    listener = Listener(Page(meters), access, port or access.port, others)
    return listener.port, listener.stop


def announce(folder: Path, name: str, role: str, target: str, more: Mapping[str, str]) -> Callable[[], None]:
    """Write a process' scrape target for file-based discovery, with ``more`` labels; gives how to take it
    back. ``target``: host and port, and a path unless it is /metrics; "" for a process that does not serve.
    """
    path = folder / f"{name}.json"
    if not target:
        return lambda: None
    labels = {"job": JOB, "process": name, "role": role, **more}
    address, slash, page = target.partition("/")
    if slash:
        labels["__metrics_path__"] = f"/{page}"
    replace(path, msgspec.json.encode([{"targets": [address], "labels": labels}]))
    return lambda: path.unlink(missing_ok=True)


def snapshot(meters: Meters) -> dict[str, Any]:
    """The same numbers as plain data, for the supervisor: counters and histogram counts by label tuple."""
    return {
        "counters": meters.views(),
        "histograms": {
            name: {key: list(one.counts) for key, one in dict(values).items()}
            for name, values in meters.histograms.items()
        },
    }
