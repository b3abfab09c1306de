"""The Grafana dashboards as code: ``texts()`` gives each file's JSON.

A dashboard is a module with ``dashboard()``: its panels, each a few lines. ``words`` says what a panel asks
and what a bad answer means, ``promql`` makes the queries and knows only names that the catalogue has,
``panels`` makes panels that look alike, ``frame`` adds what all dashboards share (variables, annotations,
links). The official SDK is needed for building only: who uses the committed files needs none of this.
"""

from importlib import import_module

from deploy.observability.dashboards.names import UIDS


def texts() -> dict[str, str]:
    """The JSON of each dashboard by its file's name; raises ImportError without the SDK."""
    return {f"{key}.json": import_module(f"{__name__}.{key}").dashboard() for key in UIDS}
