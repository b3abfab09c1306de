"""Judges what Xen is asked for when it builds domains: the frames of each, and the IOMMU for its devices.

The IOMMU itself is asked (``nodes.xen.iommu``), in the order in which the domains are built; only its
answers get names and places here.
"""

from collections.abc import Iterator

from bus.shmem import PAGE_BYTES
from deploy.lint.dom0 import own_tree, unusable
from deploy.lint.domain import Domain, Given
from deploy.lint.finding import Finding, Spot, at, finding
from deploy.lint.material import Material
from nodes.devicetree import Node, Tree, TreeError
from nodes.xen import cmdline, dom0, dom0less
from nodes.xen import domain as xen
from nodes.xen.binding import SHMEM
from nodes.xen.errno import Errno, XenError
from nodes.xen.iommu import Iommu


def judge(material: Material) -> Iterator[Finding]:
    """All that no domain can be built with."""
    for domain in material.domains:
        yield from _frames(domain)
    if material.host is not None:
        yield from _dom0_frames(material, material.host)
        yield from _iommu(material, material.host)


# ---- frames -----------------------------------------------------------------------------------


def _frames(domain: Domain) -> Iterator[Finding]:
    """A boot domain has all its mappings at once; xl asks for one range after the other."""
    total = 0
    for one in domain.mappings:
        total = total + one.frames if domain.boot else one.frames
        try:
            xen.check_frames(domain.name, total)
        except XenError as error:
            yield _too_many(one.spot, f"{error}{fate(domain)}", _frames_fix(domain))
            return


def _frames_fix(domain: Domain) -> str:
    if domain.boot:
        return (
            f"Write {dom0less.REG} as <host size guest> of two cells each; the size of a page is 0x0 0x1000."
        )
    return 'Both numbers of iomem are hexadecimal frames of 4 KiB, not bytes: "47ff3,1@22001" is one page.'


def _dom0_frames(material: Material, host: Tree) -> Iterator[Finding]:
    """Dom0 has every shared-memory node of its tree mapped 1:1."""
    total = 0
    for node in own_tree(material, host):
        if not (node.compatible(SHMEM) and node.available()):
            continue
        try:
            total += -(-host.reg(node)[1] // PAGE_BYTES)
            xen.check_frames("Dom0", total)
        except TreeError as error:
            yield from unusable(host, error)
        except XenError as error:
            message = f"{node.path} is mapped for Dom0: {error}: Xen panics"
            yield _too_many(at(node, "reg"), message, "Make the size that of the page: 0x1000.")
            return


def _too_many(spot: Spot, message: str, fix: str) -> Finding:
    return finding("too-many-frames", spot, message, fix)


# ---- the IOMMU --------------------------------------------------------------------------------


def _iommu(material: Material, host: Tree) -> Iterator[Finding]:
    iommu = of(material, host)
    first = _domain(iommu, 0, "dom0")
    for device in dom0.devices(host):
        iommu.assign_to_dom0(first, device)
    for domid, domain in enumerate(material.domains, 1):
        built = _domain(iommu, domid, domain.name, domain.without_iommu is None)
        for given in domain.devices:
            target = host.get(given.path)
            if target is None:
                continue  # said already
            owner = iommu.owners.get(target.path)
            error = _assign(iommu, built, domain, given, target)
            if error is not None and error.errno is Errno.EOPNOTSUPP:
                yield _off(f"{error}{fate(domain)}", domain, given, host)
                break
            if error is None:
                built.devices.append(target.path)
            elif error.errno is not Errno.EBUSY or owner is None or owner.domid in (0, domid):
                # But one device for two domains: that is said already.
                yield _refused(f"{error}{fate(domain)}", domain, given, target, owner)


def of(material: Material, host: Tree) -> Iommu:
    """The machine's IOMMU; nothing is assigned yet."""
    line = cmdline.parse(cmdline.command_line(host, ""))
    return Iommu(line.iommu, material.profile.assigns_unprotected)


def _domain(iommu: Iommu, domid: int, name: str, uses: bool = True) -> xen.Domain:
    made = xen.Domain(domid, name, b"", 1, False)
    made.iommu = uses and iommu.enabled
    return made


def _assign(iommu: Iommu, built: xen.Domain, domain: Domain, given: Given, device: Node) -> XenError | None:
    try:
        if domain.boot:
            iommu.assign_at_boot(built, device, given.forced)
        else:
            iommu.assign(built, device)
    except XenError as error:
        return error
    return None


def _off(message: str, domain: Domain, given: Given, host: Tree) -> Finding:
    """A domain has devices and no IOMMU: told once, where the IOMMU is switched off."""
    also = ("a device that is given", given.spot)
    if domain.without_iommu is not None:
        fix = 'Remove passthrough = "disabled".'
        return finding("iommu-refuses", domain.without_iommu, message, fix, also)
    fix = f"Switch the IOMMU on in {cmdline.BOOTARGS}, or take the devices from dtdev."
    return finding("iommu-refuses", at(host["/chosen"], cmdline.BOOTARGS), message, fix, also)


def _refused(message: str, domain: Domain, given: Given, device: Node, owner: xen.Domain | None) -> Finding:
    if owner is not None and owner.domid == 0:
        fix = f"Withhold the device from Dom0: add xen,passthrough; to {device.path}."
    elif owner is not None:
        fix = "Give the device once."
    elif domain.boot:
        fix = f"Add {dom0less.FORCE}; to the node, or iommus to {device.path} if it is behind an IOMMU."
    else:
        fix = f"Add iommus to {device.path}; this version of Xen assigns nothing without."
    return finding("iommu-refuses", given.spot, message, fix, ("the device", at(device)))


def fate(domain: Domain) -> str:
    """How a message goes on that says what ``domain`` is refused."""
    return (
        f": Xen panics, Error creating domain {domain.name}"
        if domain.boot
        else f": xl create {domain.name} fails"
    )
