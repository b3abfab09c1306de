"""The table once, as text or as data: two looks, ``interval_s`` apart by EL3's own numbers, and what changed.

It asks through a session that it is given; how it is printed is ``deploy.cli.top``'s business.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from deploy import control
from deploy.top.columns import ordered
from deploy.top.model import FIRMWARE, Board, Look, Model
from deploy.top.source import look
from deploy.top.view import View

AGAIN_S = 0.1
PATIENCE_S = 3.0  # for EL3's numbers; without them rates are not known


def measured(session: control.Session, interval_s: float) -> Board:
    """Rates over at least ``interval_s``; raises as ``Session.ask``."""
    return measure(lambda: look(session), interval_s, time.monotonic, time.sleep)


def measure(
    take: Callable[[], Look], interval_s: float, now_s: Callable[[], float], wait: Callable[[float], None]
) -> Board:
    """As ``measured``, with looks and a clock of the caller's."""
    model = Model(interval_s, interval_s)
    first = take()
    board = model.look(first)
    deadline_s = now_s() + interval_s + PATIENCE_S
    while _told(board) - first.status.told_at_s.get(FIRMWARE, 0.0) < interval_s and now_s() < deadline_s:
        wait(AGAIN_S)
        board = model.look(take())
    return board


def _told(board: Board) -> float:
    return board.status.told_at_s.get(FIRMWARE, board.status.uptime_s)


def as_data(board: Board, view: View, interval_s: float) -> dict[str, Any]:
    """For scripts: rates per second, latencies in microseconds, times in seconds; null: not known."""
    status = board.status
    rows = ordered(board.rows, view.sort, view.words, view.backwards)
    agents = msgspec.to_builtins(rows)
    for agent in agents:
        del agent["history"]
    return {
        "platform": status.platform,
        "firmware": status.firmware,
        "profile": status.profile,
        "uptime_s": status.uptime_s,
        "interval_s": interval_s,
        "rate": board.rate,
        "nodes_up": board.nodes_up,
        "silent": board.silent,
        "agents": agents,
    }
