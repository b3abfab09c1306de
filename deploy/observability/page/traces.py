"""The latest calls of a cluster, as the page shows them. How they are decoded is ``deploy.tracing``'s."""

import threading
from typing import Final

import msgspec

from deploy.errors import UserError
from deploy.observability.page.clusters import Clusters
from deploy.tracing import live
from deploy.tracing.lines import Line

LINES: Final = 200
ALL: Final = ("", "$__all", ".*", "All")
_decoding = threading.Lock()  # one at a time: it takes a good part of a second


class Asked(msgspec.Struct, frozen=True):
    """Whose calls: a cluster's name, an agent's number and a protocol's name; empty: of all."""

    cluster: str = ""
    agent: str = ""
    protocol: str = ""


class Lines(msgspec.Struct, frozen=True):
    """``lines``, the latest last; or ``why`` there is none."""

    lines: list[Line] = []
    why: str = ""


def asked(query: dict[str, list[str]]) -> Asked:
    """What the URL asks for; Grafana's words for "all" are none."""
    given = {key: (query.get(key) or query.get(f"var-{key}") or [""])[-1] for key in Asked.__struct_fields__}
    return Asked(**{key: "" if value in ALL else value for key, value in given.items()})


def lines(clusters: Clusters, wanted: Asked) -> Lines:
    """The latest LINES calls, or why there are none."""
    run = clusters.run(wanted.cluster)
    if run is None:
        named = f"called {wanted.cluster}" if wanted.cluster else "that is the only one"
        return Lines(why=f"there is no live cluster {named}")
    if wanted.agent and not wanted.agent.isdecimal():
        return Lines(why=f"{wanted.agent}: an agent is a number")
    try:
        with _decoding:
            found = live.latest(run, int(wanted.agent) if wanted.agent else None, wanted.protocol, LINES)
    except UserError as error:
        return Lines(why=str(error))
    return Lines(found)
