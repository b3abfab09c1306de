"""Descriptions to cores. The one place that knows which core plays which role."""

from collections.abc import Callable, Iterator

from bus.links import XEN
from bus.shmem import PAGE_BYTES, Buffer, Memory
from deploy import plugins
from nodes.contract import ALONE, Epoch
from nodes.firmware.core import FirmwareCore
from nodes.firmware.platform import Platform
from nodes.firmware.profile import DEFAULT, FirmwareProfile
from nodes.guest.core import GuestConfig, GuestCore
from nodes.xen.config import XenConfig
from nodes.xen.core import XenCore


def firmware(
    platform: Platform,
    memory: Memory,
    profile: FirmwareProfile = DEFAULT,
    *,
    carried: bool = True,
    record: bool = False,
    epoch: Epoch = ALONE,
) -> FirmwareCore:
    """EL3, with the plug-ins' protocols that the platform names; raises UserError if one is not there.

    ``record``: it tells notes.
    """
    vendor = plugins.services(platform)
    options = {"carried": carried, "vendor": vendor, "record": record, "epoch": epoch}
    return FirmwareCore(platform, memory, XEN, profile, **options)  # type: ignore[arg-type]


def xen(
    config: XenConfig,
    memory: Memory,
    identities: Iterator[bytes],
    links: tuple[bytes, bytes],
    next_firmware: Callable[[int], bytes] | None = None,
) -> XenCore:
    """``links`` are the identities of EL3 and of the toolstack; ``next_firmware`` as in XenCore."""
    return XenCore(config, memory, identities, links[0], links[1], next_firmware=next_firmware)


def guest(
    config: GuestConfig, mapped: tuple[tuple[int, int, int], ...], memory: Memory, epoch: Epoch = ALONE
) -> GuestCore:
    """``mapped`` is the domain's stage 2, (guest frame, machine frame, frames): where its page really is."""
    binding = config.binding
    if binding is None:
        return GuestCore(config, None, XEN, epoch=epoch)
    p2a = guest_page(binding.p2a.shmem, mapped, memory) if binding.p2a else None
    return GuestCore(config, guest_page(binding.shmem, mapped, memory), XEN, p2a, epoch)


def guest_page(address: int, mapped: tuple[tuple[int, int, int], ...], memory: Memory) -> Buffer | None:
    """The page behind a guest physical address; None with nothing mapped there."""
    wanted = address // PAGE_BYTES
    for first, machine, count in mapped:
        if first <= wanted < first + count:
            return memory.map((machine + wanted - first) * PAGE_BYTES + address % PAGE_BYTES)
    return None
