"""Giving a device to a domain: what SCI says of it, what the IOMMU says, and which of the two decides.

The callers differ in their order: the toolstack's domctl asks SCI first, the builder of Dom0 the IOMMU
first, that of boot domains adds the device, asks SCI, and then attaches it.
"""

from collections.abc import Sequence

from nodes.devicetree import Node
from nodes.xen.channel import Say, Sci
from nodes.xen.config import XenConfig
from nodes.xen.domain import Domain
from nodes.xen.errno import Errno, XenError
from nodes.xen.iommu import Iommu
from nodes.xen.tasks import Task


class Devices:
    """``log`` takes (level, text), ``hazard`` (name, text)."""

    def __init__(self, config: XenConfig, sci: Sci, iommu: Iommu, *, log: Say, hazard: Say) -> None:
        self._tree = config.tree
        self._profile = config.profile
        self._strict = config.strict
        self._sci = sci
        self.iommu = iommu
        self._log = log
        self._hazard = hazard

    # ---- the toolstack ------------------------------------------------------------------------

    def assign(self, domain: Domain, path: str) -> Task[None]:
        """XEN_DOMCTL_assign_device: the profile says what an SCI refusal means to the IOMMU's part."""
        refused: XenError | None = None
        granted = 0
        try:
            granted = yield from self._sci_domctl(domain, path)
        except XenError as error:
            if self._profile.assign == "gate":
                raise
            refused = error
        try:
            self.iommu.assign(domain, self._tree.get(path))
        except XenError as error:
            if granted:
                self._hazard(
                    "permission-not-revoked",
                    f"{path}: the firmware allowed it to {domain.name}, then the IOMMU refused it: {error}",
                )
            raise refused or error from None
        if refused is not None:
            raise refused
        _note(domain, path)

    def _sci_domctl(self, domain: Domain, path: str) -> Task[int]:
        """sci_do_domctl; gives the number of permissions set, 0 also for "not mine" (-ENXIO)."""
        if self._profile.assign == "none" or not self._sci.initialized:
            return 0
        device = self._tree.get(path)
        if device is None:
            raise XenError(Errno.ESRCH, f"the host tree has no node {path}")
        try:
            return (yield from self._sci.assign(domain.domid, domain.channel, self._tree, device))
        except XenError as error:
            if self._strict or error.errno is not Errno.ENXIO:
                raise
            self._hazard(
                "enxio-swallowed",
                f"{path}: {error} counts as 'not handled'; the IOMMU alone decides on {domain.name}",
            )
            return 0

    def test(self, domain: Domain, path: str) -> None:
        """XEN_DOMCTL_test_assign_device: SCI has nothing to say."""
        self.iommu.test(domain, self._tree.get(path))

    def deassign(self, domain: Domain, path: str) -> None:
        """XEN_DOMCTL_deassign_device: nothing is said to the firmware, the permission stays until a reset."""
        self.iommu.deassign(domain, self._tree.get(path))
        domain.devices.remove(path)
        if domain.channel is not None and "access-controllers" in self._tree[path].properties:
            self._hazard(
                "permission-not-revoked",
                f"{path}: taken from {domain.name}, the firmware still allows it until the agent is reset",
            )

    # ---- the builders -------------------------------------------------------------------------

    def for_dom0(self, domain: Domain, devices: Sequence[Node]) -> Task[None]:
        """Each device that Dom0 owns: the IOMMU, then SCI; what fails fails the whole boot."""
        for device in devices:
            self.iommu.assign_to_dom0(domain, device)
            if "access-controllers" in device.properties:
                yield from self._sci.assign(domain.domid, domain.channel, self._tree, device)
                _note(domain, device.path)

    def for_boot_domain(self, domain: Domain, path: str, forced: bool) -> Task[None]:
        """One node with xen,path; ``forced``: it may do without an IOMMU."""
        device = self._tree.get(path)
        if device is None:
            raise XenError(Errno.EINVAL, f"the host tree has no node {path}")
        yield from self._sci.assign(domain.domid, domain.channel, self._tree, device)
        self.iommu.assign_at_boot(domain, device, forced)
        _note(domain, path)


def _note(domain: Domain, path: str) -> None:
    if path not in domain.devices:
        domain.devices.append(path)
