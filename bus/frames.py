"""The envelopes: one msgpack array per frame, ``[kind, version, request, cause, ...]`` (PROTOCOL.md).

A page of shared memory never is inside an envelope: it follows as an opaque frame of its own.
Decoding is strict; what does not parse is one BadFrame, which a node counts and drops. This
module does not know sockets, nor who may send what: Xen decides that (``nodes.xen.core``).
"""

from typing import Annotated, Any, Final, Literal

import msgspec

PROTOCOL_VERSION: Final = 1
ENVELOPE_BYTES_MAX = 65_536
PAGE_FRAME_BYTES_MAX = 4096
EL3_DOMID: Final = 0x7FF5  # whom a Console for the firmware names: no domain can have this id

U64 = Annotated[int, msgspec.Meta(ge=0)]
U32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
Registers = tuple[U64, U64, U64, U64, U64, U64, U64, U64]
Results = tuple[U64, U64, U64, U64]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
TrapClass = Literal[0x12, 0x13, 0x16, 0x17]  # smccc.ExceptionClass: nothing else rings a doorbell
Text = Annotated[str, msgspec.Meta(max_length=1024)]
CLUSTER_BYTES: Final = 16
Cluster = Annotated[bytes, msgspec.Meta(max_length=CLUSTER_BYTES)]  # CLUSTER_BYTES random bytes, or none
STALE: Final = "stale"  # codes of an Error: of an earlier incarnation, of another cluster
OTHER_CLUSTER: Final = "other-cluster"
XEN_REQUEST_BITS: Final = 40  # of Xen's request numbers; its incarnation, less 1, is above them


class BadFrame(ValueError):  # noqa: N818 - the protocol's own word
    """An envelope that is too large, not msgpack, of an unknown kind or version, or out of range."""


class Frame(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """The common head of every envelope. An item too many is refused, as one too few is."""

    version: Literal[1]
    request: U64
    cause: U64


class Hello(Frame, frozen=True, tag=1):
    """A node opens its link. The link itself proves who it is; ``role`` is for people.

    ``cluster`` and ``incarnation`` are what the node was started as; empty and 0 claim nothing.
    """

    role: Name
    cluster: Cluster = b""
    incarnation: U32 = 0


class Welcome(Frame, frozen=True, tag=2):
    """Xen accepts a link and says whose it is, of which cluster it is itself, and its own incarnation."""

    domid: U32
    name: Name
    cluster: Cluster = b""
    incarnation: U32 = 0


class Trap(Frame, frozen=True, tag=3):
    """A guest's SMC or HVC arriving in Xen, with x0..x7; the guest's page may follow.

    ``page`` is the guest physical address of the shared-memory page, 0 for none.
    """

    ec: TrapClass
    immediate: U32
    x: Registers
    page: U64


class Return(Frame, frozen=True, tag=4):
    """Xen resumes the guest after the instruction, with x0..x3 written."""

    x: Results


class Undef(Frame, frozen=True, tag=5):
    """Xen injects an undefined-instruction exception instead of resuming the guest."""


class Smc(Frame, frozen=True, tag=6):
    """Xen's SMC to EL3, with x0..x7; ``page`` is the physical address of the page that follows or 0."""

    x: Registers
    page: U64


class SmcReturn(Frame, frozen=True, tag=7):
    """EL3 is done: x0..x3; the page may follow."""

    x: Results


class Error(Frame, frozen=True, tag=8):
    """The bus could not carry a request to its end. ``definite``: it surely did not happen."""

    code: Name
    definite: bool
    detail: Text


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of what a Domctl asks for: a map with its name under "type"; a misspelt key is refused."""


class CreateDomain(Operation, frozen=True, tag="createdomain"):
    """XEN_DOMCTL_createdomain: the name, the two SCI bytes of xen_arch_domainconfig, XEN_DOMCTL_CDF_iommu."""

    name: Name
    arm_sci_type: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    arm_sci_agent_id: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    aarch32: bool = False
    iommu: bool = False


class DestroyDomain(Operation, frozen=True, tag="destroydomain"):
    """XEN_DOMCTL_destroydomain; ``reason`` is for the life-cycle record."""

    domid: U32
    reason: Name = "destroy"


class UnpauseDomain(Operation, frozen=True, tag="unpausedomain"):
    """XEN_DOMCTL_unpausedomain: everything is given, let it run."""

    domid: U32


class AssignDevice(Operation, frozen=True, tag="assign_device"):
    """XEN_DOMCTL_assign_device, device-tree flavour: ``path`` in the host tree."""

    domid: U32
    path: Text


class TestAssignDevice(Operation, frozen=True, tag="test_assign_device"):
    """XEN_DOMCTL_test_assign_device: whether ``path`` could be assigned, that is, is nobody's yet."""

    __test__ = False  # for pytest, which takes the name for a test's

    domid: U32
    path: Text


class DeassignDevice(Operation, frozen=True, tag="deassign_device"):
    """XEN_DOMCTL_deassign_device."""

    domid: U32
    path: Text


class IomemPermission(Operation, frozen=True, tag="iomem_permission"):
    """XEN_DOMCTL_iomem_permission for ``frames`` machine frames from ``first_frame``."""

    domid: U32
    first_frame: U64
    frames: U32
    allow: bool


class MemoryMapping(Operation, frozen=True, tag="memory_mapping"):
    """XEN_DOMCTL_memory_mapping: machine frames seen at guest frames."""

    domid: U32
    first_guest_frame: U64
    first_frame: U64
    frames: U32


class IrqPermission(Operation, frozen=True, tag="irq_permission"):
    """XEN_DOMCTL_irq_permission: whether the domain may have the physical interrupt ``irq``."""

    domid: U32
    irq: U32
    allow: bool


class BindPtIrq(Operation, frozen=True, tag="bind_pt_irq"):
    """XEN_DOMCTL_bind_pt_irq of an SPI: route ``irq`` to the domain, which sees the same number, ``virq``."""

    domid: U32
    irq: U32
    virq: U32


class ListDomains(Operation, frozen=True, tag="getdomaininfolist"):
    """XEN_SYSCTL_getdomaininfolist: every domain there is; the reply's ``domains`` lists them."""


class NodeLost(Operation, frozen=True, tag="node_lost"):
    """The supervisor tells Xen that the process behind a link is gone."""

    role: Name


class NodeExpected(Operation, frozen=True, tag="node_expected"):
    """The supervisor is about to start the process of a role again: the link of the one before is retired.

    The new link's token is the one that Xen and the supervisor know for this ``incarnation``.
    """

    role: Name
    incarnation: U32


Op = (
    CreateDomain
    | DestroyDomain
    | UnpauseDomain
    | AssignDevice
    | TestAssignDevice
    | DeassignDevice
    | IomemPermission
    | MemoryMapping
    | IrqPermission
    | BindPtIrq
    | ListDomains
    | NodeLost
    | NodeExpected
)


class Domctl(Frame, frozen=True, tag=9):
    """The toolstack asks Xen; only the control domain's link may."""

    op: Op


class DomainInfo(msgspec.Struct, frozen=True):
    """One row of ``ListDomains``; ``link`` is the identity that the domain's process must connect with."""

    domid: int
    name: str
    state: str
    incarnation: int
    agent_id: int | None
    smc_id: int | None
    shmem: int | None
    devices: tuple[str, ...]
    link: bytes
    mapped: tuple[tuple[int, int, int], ...]


class DomctlReply(Frame, frozen=True, tag=10):
    """``rc`` is 0 or a negative errno, as the hypercall returns it."""

    rc: int
    domid: U32
    detail: Text
    domains: tuple[DomainInfo, ...]


class Lifecycle(Frame, frozen=True, tag=11):
    """Xen tells the toolstack about a domain: created, link_up, running, shutdown, dying, refused, reset,
    dead; once of each earlier incarnation that still speaks: stale."""

    domid: U32
    name: Text
    event: Name
    detail: Text


class Console(Frame, frozen=True, tag=12):
    """The toolstack asks something of a domain, or of EL3 (0x7FF5); ``body`` is opaque to Xen."""

    domid: U32
    body: Annotated[bytes, msgspec.Meta(max_length=8192)]


class ConsoleReply(Frame, frozen=True, tag=13):
    """The answer of the domain, or of EL3, relayed by Xen to the toolstack."""

    body: Annotated[bytes, msgspec.Meta(max_length=16384)]


class Interrupt(Frame, frozen=True, tag=14):
    """A physical interrupt: EL3 raises ``intid``, Xen injects it into the domain it is routed to.

    ``page`` is the address of the P2A page that follows, as the receiver sees it, or 0.
    """

    intid: U32
    page: U64


class EndOfInterrupt(Frame, frozen=True, tag=15):
    """The domain deactivates ``intid``, Xen passes it on to EL3; the P2A page may follow, FREE set again."""

    intid: U32
    page: U64


FRAME_TYPES: tuple[type[Frame], ...] = (
    Hello,
    Welcome,
    Trap,
    Return,
    Undef,
    Smc,
    SmcReturn,
    Error,
    Domctl,
    DomctlReply,
    Lifecycle,
    Console,
    ConsoleReply,
    Interrupt,
    EndOfInterrupt,
)
AnyFrame = (
    Hello
    | Welcome
    | Trap
    | Return
    | Undef
    | Smc
    | SmcReturn
    | Error
    | Domctl
    | DomctlReply
    | Lifecycle
    | Console
    | ConsoleReply
    | Interrupt
    | EndOfInterrupt
)


def first_request(incarnation: int) -> int:
    """The number after which the SMCs and console requests of a Xen of this incarnation begin."""
    return max(0, incarnation - 1) << XEN_REQUEST_BITS


def incarnation_of(request: int) -> int:
    """The incarnation of the Xen that numbered an SMC or a console request."""
    return (request >> XEN_REQUEST_BITS) + 1


def same_cluster(one: bytes, other: bytes) -> bool:
    """Whether two may be of one cluster: who names none claims nothing."""
    return not one or not other or one == other


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AnyFrame).decode


def decode(envelope: bytes) -> Any:
    """The frame in ``envelope``; raises BadFrame with the reason."""
    if len(envelope) > ENVELOPE_BYTES_MAX:
        raise BadFrame(f"envelope of {len(envelope)} bytes, the limit is {ENVELOPE_BYTES_MAX}")
    try:
        return _decode(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFrame(str(error)) from None
