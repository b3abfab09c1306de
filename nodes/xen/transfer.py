"""Xen as an SCMI agent: what is written before the doorbell, what is believed after it.

Works on a page as a buffer. When to ring, and who may, is ``mediator.py``'s business.
"""

from bus import shmem, smccc
from bus.scmi import header
from bus.scmi.status import STATUS_BYTES, Status, name, read
from nodes.xen.errno import Errno, XenError

STATUS_ERRNO = {
    Status.NOT_SUPPORTED: Errno.EOPNOTSUPP,
    Status.INVALID_PARAMETERS: Errno.EINVAL,
    Status.DENIED: Errno.EACCES,
    Status.NOT_FOUND: Errno.ENOENT,
    Status.OUT_OF_RANGE: Errno.ERANGE,
    Status.BUSY: Errno.EBUSY,
    Status.COMMS_ERROR: Errno.ENOTCONN,
    Status.GENERIC_ERROR: Errno.EIO,
    Status.HARDWARE_ERROR: Errno.ENXIO,
    Status.PROTOCOL_ERROR: Errno.EBADMSG,
}

WRITTEN = ((shmem.STATUS_AT, shmem.STATUS_AT + 4), (shmem.FLAGS_AT, None))  # the reserved words are not


def put(page: shmem.Buffer, protocol_id: int, message_id: int, payload: bytes) -> None:
    """Claim the channel and write a message; raises EINVAL for its size, EBUSY if FREE is clear."""
    if len(payload) > shmem.PAYLOAD_BYTES_MAX:
        raise XenError(Errno.EINVAL, f"payload of {len(payload)} bytes, {shmem.PAYLOAD_BYTES_MAX} fit")
    if not shmem.status_of(page) & shmem.FREE:
        raise XenError(Errno.EBUSY, "the channel is not free")
    content = shmem.request(header.pack(protocol_id, message_id), payload)
    for start, end in WRITTEN:
        page[start : end or len(content)] = content[start:end]


def check_doorbell(x0: int) -> None:
    """Judge the SMC's x0; raises EINVAL for -3 and EOPNOTSUPP for any other value but 0."""
    if x0 == smccc.INVALID_PARAMETER:
        raise XenError(Errno.EINVAL, "the doorbell SMC returned -3")
    if x0:
        raise XenError(Errno.EOPNOTSUPP, f"the doorbell SMC returned {smccc.signed(x0)}")


def get(page: shmem.Buffer, rx_bytes: int) -> bytes:
    """The payload after the status, at most ``rx_bytes``; a shorter one is accepted.

    Raises XenError: EBUSY if FREE is clear, EINVAL for a bad length, else as the SCMI status maps.
    The header is not compared with the request, and the ERROR bit is not looked at: the driver
    does neither.
    """
    snapshot = bytes(page)
    status, _, length, _ = shmem.fields(snapshot)
    if not status & shmem.FREE:
        raise XenError(Errno.EBUSY, "the firmware returned without freeing the channel")
    payload_bytes = length - shmem.HEADER_BYTES
    if payload_bytes < 0:
        raise XenError(Errno.EINVAL, f"the response claims a length of {length}")
    code = read(snapshot[shmem.PAYLOAD_AT :])
    if code:
        known = code in Status.__members__.values()
        errno = STATUS_ERRNO.get(Status(code), Errno.EINVAL) if known else Errno.EINVAL
        raise XenError(errno, f"the firmware answered {name(code)}")
    if payload_bytes - STATUS_BYTES > rx_bytes:
        raise XenError(Errno.EINVAL, f"the response has {payload_bytes} bytes, too many")
    start = shmem.PAYLOAD_AT + STATUS_BYTES
    end = shmem.PAYLOAD_AT + max(payload_bytes, STATUS_BYTES)
    return snapshot[start:end]
