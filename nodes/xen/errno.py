"""Xen's error numbers, and the error that carries one."""

from enum import IntEnum

import msgspec

from nodes.devicetree import Node


class Errno(IntEnum):
    EPERM = 1
    ENOENT = 2
    ESRCH = 3
    EIO = 5
    ENXIO = 6
    EBADF = 9
    ENOMEM = 12
    EACCES = 13
    EFAULT = 14
    EBUSY = 16
    EEXIST = 17
    ENODEV = 19
    EINVAL = 22
    ERANGE = 34
    ENOSYS = 38
    EBADMSG = 74
    EOPNOTSUPP = 95
    ENOTCONN = 107
    ETIMEDOUT = 110  # no driver gives it: only an experiment ends an SMC that EL3 has not answered


class Place(msgspec.Struct, frozen=True):
    """Where in a tree: a property of ``node``, its ``entry``-th item counted from 0, or all of it."""

    node: Node
    prop: str = ""
    entry: int | None = None

    def __str__(self) -> str:
        return self.node.place(self.prop)


class XenError(Exception):
    """A Xen function returning ``-errno``; the text is what its log line would say.

    A refusal of a tree (``refusal``) also has the number of its ``rule`` in CHECKS.md, and its
    ``place``. ``reason`` is the text without the place.
    """

    def __init__(self, errno: Errno, text: str, rule: str = "", place: Place | None = None) -> None:
        super().__init__(text)
        self.errno = errno
        self.text = text
        self.reason = text
        self.rule = rule
        self.place = place

    def __str__(self) -> str:
        return f"{self.text} (-{self.errno.name})"


def refusal(rule: str, errno: Errno, place: Place, reason: str) -> XenError:
    """What ``rule`` says of a place in a tree."""
    error = XenError(errno, f"{place}: {reason}", rule, place)
    error.reason = reason
    return error
