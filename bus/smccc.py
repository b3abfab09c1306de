"""SMC Calling Convention: function identifiers, owners, return codes (Arm DEN0028).

It knows numbers and how to take a function identifier apart; what an identifier *does* is in
``nodes.xen.vsmc`` and ``nodes.firmware``.
"""

from enum import IntEnum

SUCCESS = 0
NOT_SUPPORTED = 0xFFFF_FFFF_FFFF_FFFF  # -1, "SMCCC unknown function", sign-extended in x0
INVALID_PARAMETER = 0xFFFF_FFFF_FFFF_FFFD  # -3, sign-extended in x0

FAST = 1 << 31
SMC64 = 1 << 30

VERSION = 0x8000_0000
ARCH_FEATURES = 0x8000_0001
VERSION_1_1 = 0x1_0001

PSCI_VERSION = 0x8400_0000
PSCI_SYSTEM_OFF = 0x8400_0008
PSCI_SYSTEM_RESET = 0x8400_0009
PSCI_FEATURES = 0x8400_000A
PSCI_1_1 = 0x1_0001
LEGACY_PSCI_LAST = 0x0100_FFFF


class Owner(IntEnum):
    """Bits 29:24 of a function identifier, for the owners that get a name of their own."""

    ARCHITECTURE = 0
    CPU = 1
    SIP = 2
    OEM = 3
    STANDARD = 4
    HYPERVISOR = 5
    TRUSTED_APP_FIRST = 48
    TRUSTED_APP_LAST = 49
    TRUSTED_OS_FIRST = 50
    TRUSTED_OS_LAST = 63


class ExceptionClass(IntEnum):
    """How a trap arrived: ESR_EL2.EC of the four instructions that can ring a doorbell."""

    HVC32 = 0x12
    SMC32 = 0x13
    HVC64 = 0x16
    SMC64 = 0x17


def owner(function_id: int) -> int:
    """Bits 29:24."""
    return function_id >> 24 & 0x3F


def is_fast(function_id: int) -> bool:
    return bool(function_id & FAST)


def is_smc64(function_id: int) -> bool:
    """Bit 30: the 64-bit calling convention, which a 32-bit caller may not use."""
    return bool(function_id & SMC64)


def signed(register: int) -> int:
    """A 64-bit register as a signed number, as C compares it."""
    return register - (1 << 64) if register >> 63 else register


def unsigned(value: int) -> int:
    """A signed number as a 64-bit register, sign-extended."""
    return value & 0xFFFF_FFFF_FFFF_FFFF
