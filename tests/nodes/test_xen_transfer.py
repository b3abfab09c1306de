"""Xen as an SCMI agent: what it writes before a doorbell, what it believes afterwards."""

import struct

import pytest

from bus import shmem
from bus.scmi.status import Status
from nodes.xen import transfer
from nodes.xen.errno import Errno, XenError

OK = b"\0\0\0\0"


def free_page() -> bytearray:
    return shmem.PrivateMemory().map(0)


def errno(act: object, *arguments: object) -> Errno:
    with pytest.raises(XenError) as raised:
        act(*arguments)  # type: ignore[operator]
    return raised.value.errno


@pytest.mark.parametrize(("size", "fits"), [(0, True), (4, True), (4068, True), (4069, False), (9999, False)])
def test_put_size(size: int, fits: bool) -> None:
    page = free_page()
    if fits:
        transfer.put(page, 0x10, 7, bytes(size))
        assert struct.unpack_from("<IIQIII", page) == (0, 0, 0, 0, 4 + size, 0x4007)
        assert len(page) == 4096
    else:
        assert errno(transfer.put, page, 0x10, 7, bytes(size)) is Errno.EINVAL
        assert shmem.status_of(page) == shmem.FREE


def test_put_leaves_the_reserved_words_alone() -> None:
    page = free_page()
    page[0:4] = page[8:12] = b"mine"
    transfer.put(page, 0x10, 7, OK)
    assert (page[0:4], page[8:16]) == (b"mine", b"mine\0\0\0\0")


@pytest.mark.parametrize(
    ("status", "busy"), [(0, True), (1, False), (2, True), (3, False), (0xFFFF_FFFE, True)]
)
def test_put_needs_a_free_channel(status: int, busy: bool) -> None:
    page = free_page()
    page[4:8] = status.to_bytes(4, "little")
    before = bytes(page)
    if busy:
        assert errno(transfer.put, page, 0x10, 7, OK) is Errno.EBUSY
        assert bytes(page) == before
    else:
        transfer.put(page, 0x10, 7, OK)
        assert shmem.status_of(page) == 0


def test_the_size_is_judged_before_the_status() -> None:
    page = free_page()
    page[4:8] = OK
    assert errno(transfer.put, page, 0x10, 7, bytes(4069)) is Errno.EINVAL


@pytest.mark.parametrize(
    ("x0", "expected"),
    [
        (0, None),
        (2**64 - 3, Errno.EINVAL),
        (0xFFFF_FFFD, Errno.EOPNOTSUPP),
        (2**64 - 1, Errno.EOPNOTSUPP),
        (2**64 - 2, Errno.EOPNOTSUPP),
        (1, Errno.EOPNOTSUPP),
    ],
)
def test_the_doorbell(x0: int, expected: Errno | None) -> None:
    if expected is None:
        transfer.check_doorbell(x0)
    else:
        assert errno(transfer.check_doorbell, x0) is expected


def answered(payload: bytes, status: int = 1, length: int | None = None) -> bytearray:
    page = free_page()
    page[28 : 28 + len(payload)] = payload
    page[4:8] = status.to_bytes(4, "little")
    page[0x14:0x18] = (4 + len(payload) if length is None else length).to_bytes(4, "little")
    return page


@pytest.mark.parametrize(
    ("payload", "rx", "data"),
    [
        (OK, 0, b""),
        (OK + b"1234", 4, b"1234"),
        (OK + b"12", 4, b"12"),
        (OK, 4, b""),
        (b"", 4, b""),
    ],
)
def test_get(payload: bytes, rx: int, data: bytes) -> None:
    assert transfer.get(answered(payload), rx) == data


@pytest.mark.parametrize(
    ("page", "rx", "expected"),
    [
        (answered(OK, status=0), 0, Errno.EBUSY),
        (answered(OK, status=2), 0, Errno.EBUSY),
        (answered(OK, length=3), 0, Errno.EINVAL),
        (answered(OK, length=0), 0, Errno.EINVAL),
        (answered(OK + b"12345"), 4, Errno.EINVAL),
        (answered(OK, length=0xFFFF_FFFF), 4, Errno.EINVAL),
        (answered(b"\xfd\xff\xff\xff", length=0xFFFF_FFFF), 4, Errno.EACCES),
        (answered(b"\xfd\xff\xff\xff", length=4), 4, Errno.EACCES),
        (answered(b"\xfd\xff\xff\xff", status=0, length=0), 4, Errno.EBUSY),
    ],
    ids=[
        "busy",
        "error-only",
        "length-3",
        "length-0",
        "long",
        "absurd",
        "status-first",
        "length-4",
        "busy-first",
    ],
)
def test_get_refuses(page: bytearray, rx: int, expected: Errno) -> None:
    assert errno(transfer.get, page, rx) is expected


def test_error_next_to_free_is_not_looked_at() -> None:
    assert transfer.get(answered(OK, status=3), 0) == b""


@pytest.mark.parametrize("code", [*list(Status)[1:], -12, -127, -128, 5, 2**31 - 1, -(2**31)])
def test_every_status_has_an_errno(code: int) -> None:
    expected = {
        -1: Errno.EOPNOTSUPP, -2: Errno.EINVAL, -3: Errno.EACCES, -4: Errno.ENOENT, -5: Errno.ERANGE,
        -6: Errno.EBUSY, -7: Errno.ENOTCONN, -8: Errno.EIO, -9: Errno.ENXIO, -10: Errno.EBADMSG,
    }.get(code, Errno.EINVAL)  # fmt: skip
    assert errno(transfer.get, answered(struct.pack("<i", code)), 0) is expected


def test_the_buffer_is_not_disturbed_by_judging_it() -> None:
    page = answered(OK + b"1234")
    before = bytes(page)
    transfer.get(page, 4)
    assert bytes(page) == before
