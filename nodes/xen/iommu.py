"""The IOMMU as far as assigning a device goes: whom a device belongs to, and who may have one.

A device is protected when its node has ``iommus``. No translation is modelled. What SCI has to say about
a device is in ``devices.py``.
"""

from nodes.devicetree import Node
from nodes.xen.domain import Domain, State
from nodes.xen.errno import Errno, XenError


class Iommu:
    """``enabled``: Xen has one at all; a domain has its use if it was created with it.

    ``owners``: whom each protected device belongs to, by the device's path.
    """

    def __init__(self, enabled: bool, assigns_unprotected: bool) -> None:
        self.enabled = enabled
        self._assigns_unprotected = assigns_unprotected
        self.owners: dict[str, Domain] = {}

    def protected(self, device: Node) -> bool:
        return self.enabled and "iommus" in device.properties

    def assign(self, domain: Domain, device: Node | None) -> None:
        """The domctl: EOPNOTSUPP without an IOMMU, ESRCH, EINVAL, EBUSY; what is unprotected passes."""
        found = self._found(domain, device)
        _check_alive(domain)
        if self.protected(found) or not self._assigns_unprotected:
            self.attach(domain, found)

    def assign_at_boot(self, domain: Domain, device: Node, forced: bool) -> None:
        """The boot domains' builder; ``forced``: the device may do without an IOMMU. Raises as ``attach``."""
        if self.protected(device) or not forced:
            self.attach(domain, device)

    def assign_to_dom0(self, domain: Domain, device: Node) -> None:
        """Dom0's builder: what is unprotected needs nothing. Raises as ``attach``."""
        if self.protected(device):
            self.attach(domain, device)

    def test(self, domain: Domain, device: Node | None) -> None:
        """Whether ``device`` is still nobody's; EINVAL if it is somebody's."""
        found = self._found(domain, device)
        _check_alive(domain)
        if found.path in self.owners:
            owner = self.owners[found.path].name
            raise XenError(Errno.EINVAL, f"{found.path} is already assigned, to {owner}")

    def deassign(self, domain: Domain, device: Node | None) -> None:
        """The domctl: EOPNOTSUPP, ESRCH, or ENODEV for what the domain does not have."""
        found = self._found(domain, device)
        if found.path not in domain.devices:
            raise XenError(Errno.ENODEV, f"{found.path} is not assigned to {domain.name}")
        self.owners.pop(found.path, None)

    def attach(self, domain: Domain, device: Node) -> None:
        """Put ``device`` into the domain's translation; EINVAL where there is none, EBUSY if it is in one."""
        if not domain.iommu:
            raise XenError(Errno.EINVAL, f"the IOMMU is off for {domain.name}")
        if not self.protected(device):
            raise XenError(Errno.EINVAL, f"{device.path} is not protected by an IOMMU")
        if device.path in self.owners:
            raise XenError(Errno.EBUSY, f"{device.path} belongs to {self.owners[device.path].name}")
        self.owners[device.path] = domain

    def release(self, domain: Domain) -> None:
        """A dying domain's devices are nobody's."""
        self.owners = {path: owner for path, owner in self.owners.items() if owner is not domain}

    def _found(self, domain: Domain, device: Node | None) -> Node:
        if not domain.iommu:
            raise XenError(Errno.EOPNOTSUPP, f"the IOMMU is off for {domain.name}")
        if device is None:
            raise XenError(Errno.ESRCH, "the host tree has no such node")
        return device


def _check_alive(domain: Domain) -> None:
    """A hypercall that waited for SCI may find the domain gone."""
    if domain.state in (State.DYING, State.DEAD):
        raise XenError(Errno.EINVAL, f"domain {domain.name} is {domain.state}")
