"""``python -I -S bound.py PARENT PROGRAM ARGUMENT...``: become PROGRAM, which the kernel kills with PARENT.

A file of its own, run before the program, because nothing of ours may run between fork and exec in a process
that has threads. It imports nothing of the project.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_FOUND = 127


def main() -> int:
    """Does not return if all goes well."""
    parent, *words = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it ended before the kernel was asked
        return NOT_FOUND
    try:
        os.execv(words[0], words)
    except OSError as error:
        print(f"{words[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - into the log of whoever asked
    return NOT_FOUND


if __name__ == "__main__":
    sys.exit(main())
