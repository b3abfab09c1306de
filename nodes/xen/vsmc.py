"""Which trapped SMC or HVC goes where (vsmc.c): a classification, and the calls Xen answers itself.

Pure functions of a trap's registers. Forwarding, and whose channel it is, is in ``core.py``.
"""

from enum import StrEnum

from bus import smccc
from bus.smccc import ExceptionClass, Owner, unsigned

ENOSYS = 38
_PSCI = {smccc.PSCI_VERSION, smccc.PSCI_FEATURES, smccc.PSCI_SYSTEM_OFF, smccc.PSCI_SYSTEM_RESET}


class Kind(StrEnum):
    """Where a trap goes; the values are the ``function`` label of the traps metric."""

    UNDEF = "undef"
    HYPERCALL = "hypercall"
    UNKNOWN = "other"
    LEGACY_PSCI = "psci_legacy"
    ARCH = "arch"
    STANDARD = "standard"
    PSCI = "psci"
    HYPERVISOR = "hypervisor"
    SIP = "sip"


_OWNER_KIND: dict[int, Kind] = {
    Owner.ARCHITECTURE: Kind.ARCH,
    Owner.SIP: Kind.SIP,
    Owner.STANDARD: Kind.STANDARD,
    Owner.HYPERVISOR: Kind.HYPERVISOR,
}


def classify(ec: int, immediate: int, x0: int, aarch32: bool) -> Kind:
    """The kind of a trap, in the order Xen looks."""
    if immediate and ec in (ExceptionClass.HVC32, ExceptionClass.HVC64):
        return Kind.HYPERCALL
    if immediate and ec == ExceptionClass.SMC64:
        return Kind.UNDEF
    function_id = x0 & 0xFFFF_FFFF
    if aarch32 and smccc.is_smc64(function_id):
        return Kind.UNKNOWN
    if function_id <= smccc.LEGACY_PSCI_LAST:
        return Kind.LEGACY_PSCI
    kind = _OWNER_KIND.get(smccc.owner(function_id), Kind.UNKNOWN)
    if kind is Kind.STANDARD and function_id in _PSCI:
        return Kind.PSCI
    return kind


def answer(kind: Kind, x0: int, x1: int) -> int | None:
    """x0 of a call that Xen handles itself, or None for "SMCCC unknown function"."""
    function_id = x0 & 0xFFFF_FFFF
    if kind is Kind.HYPERCALL:
        return unsigned(-ENOSYS)
    if kind is Kind.ARCH:
        return _arch(function_id)
    if kind is Kind.PSCI:
        if function_id == smccc.PSCI_VERSION:
            return smccc.PSCI_1_1
        if function_id == smccc.PSCI_FEATURES:
            asked = x1 & 0xFFFF_FFFF
            return smccc.SUCCESS if asked in _PSCI or asked == smccc.VERSION else smccc.NOT_SUPPORTED
    return None


def _arch(function_id: int) -> int | None:
    if function_id == smccc.VERSION:
        return smccc.VERSION_1_1
    if function_id == smccc.ARCH_FEATURES:
        return smccc.NOT_SUPPORTED
    return None


def shutdown_reason(kind: Kind, x0: int) -> str | None:
    """ "poweroff" or "reboot" for the two PSCI calls that end a domain."""
    if kind is not Kind.PSCI:
        return None
    return {smccc.PSCI_SYSTEM_OFF: "poweroff", smccc.PSCI_SYSTEM_RESET: "reboot"}.get(x0 & 0xFFFF_FFFF)
