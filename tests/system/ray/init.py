"""The first process of a "host" of the rig: reaps what its parents left, and ends when its stdin does.

It is process 1 of a pid namespace: with it the kernel ends all others, and with the last of them go its
network, its mounts and what they held. So nothing outlives a test, not even one that was killed.
Run by ``unshare`` (``rig.py``): python -S init.py HOSTNAME. Says "ready" when the host is there.
"""

import ctypes
import os
import select
import socket
import sys

OWN = ("/mnt", "/dev/shm")  # what hosts must not share: Ray's files and its shared memory
LOOK_S = 0.1


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for folder in OWN:
        if libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, b"mode=1777"):
            raise OSError(ctypes.get_errno(), f"no tmpfs at {folder}")
    socket.sethostname(sys.argv[1])
    os.write(1, b"ready\n")
    while True:
        if select.select([0], [], [], LOOK_S)[0] and not os.read(0, 1):
            return
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


if __name__ == "__main__":
    main()
