"""Xen's error numbers, and the error that carries one."""

from enum import IntEnum


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


class XenError(Exception):
    """A Xen function returning ``-errno``; the text is what its log line would say."""

    def __init__(self, errno: Errno, text: str) -> None:
        super().__init__(text)
        self.errno = errno
        self.text = text

    def __str__(self) -> str:
        return f"{self.text} (-{self.errno.name})"
