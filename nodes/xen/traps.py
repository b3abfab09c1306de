"""What becomes of a trap that is not simply its domain's own doorbell."""

from collections.abc import Sequence

import msgspec

from bus import frames, smccc
from bus.frames import Trap
from nodes.contract import Effect, Log, Received, Send
from nodes.xen import vsmc
from nodes.xen.channel import DOMID_XEN, Sci
from nodes.xen.domain import Domain
from nodes.xen.vsmc import Kind


class Decision(msgspec.Struct, frozen=True):
    """Forward it, inject UNDEF, shut the domain down, or return with ``x0`` and the rest untouched.

    ``function`` and ``verdict`` are labels of trapline_smc_traps_total; ``warning`` is for Xen's log.
    """

    function: str
    verdict: str
    x0: int = 0
    forward: bool = False
    undef: bool = False
    shutdown: str = ""
    warning: str = ""


def decide(domain: Domain, sci: Sci, trap: Trap) -> Decision:
    """Judge one trap of a running domain, in the order Xen looks."""
    x0 = trap.x[0]
    kind = vsmc.classify(trap.ec, trap.immediate, x0, domain.aarch32)
    if kind is Kind.UNDEF:
        return Decision("other", "undef", undef=True)
    if kind is Kind.SIP and domain.doorbell is not None and x0 & 0xFFFF_FFFF == domain.doorbell:
        return Decision("doorbell", "forwarded", forward=True)
    reason = vsmc.shutdown_reason(kind, x0)
    if reason:
        return Decision("psci", "handled", shutdown=reason)
    answer = vsmc.answer(kind, x0, trap.x[1])
    if answer is not None:
        return Decision(_label(kind), "handled", answer)
    return _refused(kind, sci, x0 & 0xFFFF_FFFF)


def answered(domain: Domain, event: Received, decided: Decision) -> Sequence[Effect]:
    """The Return of a trap that Xen answers itself, with Xen's log line before it if it was refused."""
    frame = event.frame
    x = frame.x
    registers = (decided.x0, x[1], x[2], x[3])
    answer = Send(event.peer, frames.Return(frames.PROTOCOL_VERSION, frame.request, frame.cause, registers))
    if decided.verdict != "refused":
        return (answer,)
    what = decided.warning or f"Unhandled SMC/HVC: {x[0]:#x} ({decided.function})"
    return (Log("warning" if decided.warning else "debug", f"d{domain.domid} {what}"), answer)


def _refused(kind: Kind, sci: Sci, function_id: int) -> Decision:
    """Whose doorbell was refused, for the metric and the log; the guest sees the same -1 for all of them."""
    for channel in sci.channels:
        if channel.func_id == function_id:
            whose = "management_doorbell" if channel.domain_id == DOMID_XEN else "foreign_doorbell"
            warning = sci.unprivileged if kind is Kind.SIP else ""
            return Decision(whose, "refused", smccc.NOT_SUPPORTED, warning=warning)
    return Decision(_label(kind), "refused", smccc.NOT_SUPPORTED)


def _label(kind: Kind) -> str:
    return {
        Kind.PSCI: "psci",
        Kind.LEGACY_PSCI: "psci",
        Kind.ARCH: "arch",
        Kind.HYPERVISOR: "hypervisor",
        Kind.HYPERCALL: "hypervisor",
        Kind.STANDARD: "standard",
        Kind.SIP: "sip",
    }.get(kind, "other")
