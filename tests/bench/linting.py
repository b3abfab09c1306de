"""What ``trapline check`` costs on real boards: CPU seconds, loading included.

The boards are those of ``tests/vendor_boards.py``, each with a Xen configuration and two guests.
"""

import tempfile
import time
from pathlib import Path

from deploy.devicetree import load
from deploy.lint import Inputs, check
from tests import vendor_boards

BOARDS = 75


def lint_seconds() -> dict[str, float]:
    """By name of the figure; empty when TRAPLINE_VENDOR_DTBS names no boards."""
    boards = vendor_boards.boards()
    if not boards:
        return {}
    taken = []
    with tempfile.TemporaryDirectory(prefix="trapline-bench-") as folder:
        for at in range(BOARDS):
            board = boards[at * len(boards) // BOARDS % len(boards)]
            files = vendor_boards.write(load([board]), Path(folder))
            start = time.process_time()
            found = check(Inputs((board, files.fragment), files.guests))
            taken.append(time.process_time() - start)
            assert not [one for one in found if one.severity != "note"], board
    return {"check, slowest board, CPU s": max(taken), f"check, {BOARDS} boards, CPU s": sum(taken)}
