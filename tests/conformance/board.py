"""A whole board for a scenario: Xen under test, EL3 scripted or real, a toolstack, guests as raw traps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bus import frames
from tests.conformance.el3 import El3, area
from tests.conformance.rig import FIRMWARE, TOOLSTACK, VERSION, Got, Port, Rig, XenSpec
from tests.conformance.trees import CANONICAL

SMC64, HVC64, SMC32, HVC32 = 0x17, 0x16, 0x13, 0x12
MINUS_ONE = 2**64 - 1
PAGE = 0x2200_1000  # where a guest sees its shared page unless told otherwise
MA = 2  # XEN_DOMCTL_CONFIG_ARM_SCI_SCMI_SMC_MA
VERSION_MESSAGE = 0x4000  # Base PROTOCOL_VERSION, token 0


class Guest:
    """A domain, as the raw traps of its vCPUs: one port, as many requests under way as one likes."""

    def __init__(self, board: "Board", info: frames.DomainInfo) -> None:
        self.info = info
        self.domid = info.domid
        self.name = info.name
        self.port = board.rig.open(info.name, info.link)
        assert self.port.hello("guest").domid == info.domid

    def ring(
        self,
        x: tuple[int, ...],
        *,
        page: bytes = b"",
        ec: int = SMC64,
        immediate: int = 0,
        address: int = PAGE,
    ) -> int:
        """Trap without waiting; gives the request to wait for."""
        request = self.port.next_request()
        registers = (*x, *(0,) * (8 - len(x)))
        self.port.send(
            frames.Trap(VERSION, request, request, ec, immediate, registers, address),  # type: ignore[arg-type]
            page,
        )
        return request

    def trap(self, *x: int, **how: object) -> Got:
        """Trap, and wait for how it ends."""
        return self.port.answer_to(self.ring(x, **how))  # type: ignore[arg-type]

    def x0(self, *x: int, **how: object) -> int:
        """x0 after the trap; anything but a Return fails."""
        frame = self.trap(*x, **how).frame
        assert isinstance(frame, frames.Return), frame
        return frame.x[0]

    def message(self, fid: int, header: int, payload: bytes = b"", address: int = PAGE) -> bytes:
        """Send one SCMI message on a channel; gives the page as it came back, x0 must be 0."""
        got = self.trap(fid, page=area(0, header, payload), address=address)
        assert isinstance(got.frame, frames.Return), got.frame
        assert got.frame.x[0] == 0
        return got.page


class Board:
    """``boot`` first. ``el3`` is the scripted firmware, None while the real one runs."""

    def __init__(self, rig: Rig, folder: Path) -> None:
        self.rig = rig
        self._folder = folder
        self._el3: El3 | None = None
        self._toolstack: Port | None = None

    @property
    def el3(self) -> El3:
        assert self._el3 is not None, "the real firmware runs"
        return self._el3

    @property
    def toolstack(self) -> Port:
        assert self._toolstack is not None, "not booted"
        return self._toolstack

    # ---- boot ---------------------------------------------------------------------------------

    def power_on(
        self,
        host: str = CANONICAL,
        *,
        partials: Mapping[str, str] | None = None,
        **machine: Any,
    ) -> None:
        """Start Xen, plug in the toolstack and the scripted EL3. Boot begins when EL3 says Hello.

        ``machine`` are further fields of XenSpec.
        """
        paths = {name: self._write(name, text) for name, text in (partials or {}).items()}
        self.rig.start_xen(XenSpec(self._write("host", host), paths, **machine))
        self._toolstack = self.rig.open("toolstack", TOOLSTACK)
        self.toolstack.hello("toolstack")
        self._el3 = El3(self.rig.open("firmware", FIRMWARE))

    def boot(self, host: str = CANONICAL, **rest: object) -> "Board":
        """Boot with the scripted EL3 (as scripted so far) and wait until Xen serves hypercalls."""
        if self._el3 is None:
            self.power_on(host, **rest)  # type: ignore[arg-type]
        self.el3.port.hello("firmware")
        self.domains()
        return self

    def boot_with_real_firmware(self, host: str, platform: str, pages: str = "") -> "Board":
        self.rig.start_xen(XenSpec(self._write("host", host), pages=pages))
        self._toolstack = self.rig.open("toolstack", TOOLSTACK)
        self.toolstack.hello("toolstack")
        self.rig.start_firmware(Path(self._write("platform", platform, ".toml")), pages)
        self.domains()
        return self

    def panic(self, host: str, **rest: object) -> str:
        """Boot a tree that Xen cannot boot; the reason it gives."""
        self.power_on(host, **rest)  # type: ignore[arg-type]
        self.el3.port.hello("firmware")
        return self.rig.wait(lambda: self.rig.halted, "Xen's panic")

    def _write(self, name: str, text: str, suffix: str = ".dts") -> str:
        path = self._folder / f"{name}{suffix}"
        path.write_text(text)
        return str(path)

    # ---- the toolstack ------------------------------------------------------------------------

    def hypercall(self, op: frames.Op) -> int:
        """Begin a hypercall; gives the request to wait for."""
        request = self.toolstack.next_request()
        self.toolstack.send(frames.Domctl(VERSION, request, request, op))
        return request

    def result(self, request: int) -> frames.DomctlReply:
        return self.toolstack.answer_to(request, frames.DomctlReply).frame

    def domctl(self, op: frames.Op) -> frames.DomctlReply:
        return self.result(self.hypercall(op))

    def rc(self, op: frames.Op) -> int:
        return self.domctl(op).rc

    def domains(self) -> dict[str, frames.DomainInfo]:
        return {info.name: info for info in self.domctl(frames.ListDomains()).domains}

    def lifecycle(self, name: str) -> list[str]:
        """The life-cycle events of a domain that were told so far."""
        told = [got.frame for got in self.toolstack.inbox if isinstance(got.frame, frames.Lifecycle)]
        return [frame.event for frame in told if frame.name == name]

    # ---- domains ------------------------------------------------------------------------------

    def dom0(self) -> Guest:
        return Guest(self, self.domains()["dom0"])

    def create(
        self, name: str, agent_id: int, *, aarch32: bool = False, sci_type: int = MA, iommu: bool = True
    ) -> Guest:
        """A running domain with its channel's page mapped, as xl leaves it."""
        reply = self.domctl(frames.CreateDomain(name, sci_type, agent_id, aarch32, iommu))
        assert reply.rc == 0, reply
        info = self.domains()[name]
        if info.shmem is not None:
            frame = info.shmem // 4096
            assert self.rc(frames.IomemPermission(info.domid, frame, 1, True)) == 0
            assert self.rc(frames.MemoryMapping(info.domid, PAGE // 4096, frame, 1)) == 0
        assert self.rc(frames.UnpauseDomain(info.domid)) == 0
        return Guest(self, self.domains()[name])
