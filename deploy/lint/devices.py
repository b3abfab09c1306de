"""Judges devices: who controls access to them, who is given them, and whether the two fit."""

from collections.abc import Iterator

from deploy.lint import building
from deploy.lint.finding import Finding, Spot, at, at_place, finding
from deploy.lint.material import Material
from deploy.lint.rules import RULE_OF_XEN
from nodes.devicetree import Node, Tree, TreeError
from nodes.guest.binding import bind
from nodes.xen import binding, dom0
from nodes.xen.binding import CHANNEL, CONTAINER, Controller
from nodes.xen.errno import XenError

CONTROLLERS = "access-controllers"
CELLS = "#access-controller-cells"


def judge(material: Material) -> Iterator[Finding]:
    """All that is wrong with access-controllers, and with the devices that domains are given."""
    tree = material.host
    if tree is None:
        return
    multiagent = material.profile.driver == "multiagent" and tree.find_compatible(CONTAINER) is not None
    management = next(binding.candidates(tree), None)
    own = management.path if management is not None and multiagent else None
    controlled: dict[str, list[int]] = {}
    if multiagent:
        for device in tree:
            if CONTROLLERS in device.properties:
                yield from _controllers(material, tree, device, own, controlled)
    yield from _assigned(material, tree, own, controlled)


def _controllers(
    material: Material, tree: Tree, device: Node, own: str | None, controlled: dict[str, list[int]]
) -> Iterator[Finding]:
    for index, item in enumerate(binding.controllers(tree, device)):
        if isinstance(item, XenError):
            yield _unparsable(tree, device, item, own)
        elif item.provider.path == own:
            controlled.setdefault(device.path, []).append(item.device_id or 0)
            yield from _device_id(material, device, item, index)
        elif item.provider.compatible(CHANNEL):
            yield _wrong_provider(device, item.provider, own, index)


def _unparsable(tree: Tree, device: Node, error: XenError, own: str | None) -> Finding:
    cells = device.cells(CONTROLLERS) or []
    rule = RULE_OF_XEN[error.rule]
    assert error.place is not None
    if rule == "provider-without-cells":
        for cell in cells:
            target = tree.by_phandle(cell)
            if target is not None and target.path in error.reason.split():
                family = (target, *tree.ancestors(target))
                if not any(node.compatible(CONTAINER) for node in family):
                    if any(node.compatible(CHANNEL) for node in family):
                        return _wrong_provider(device, target, own, error.place.entry)
                    break
                also = ("the device that needs it", at(device, CONTROLLERS))
                return finding(rule, at(target), f"{target.path} has no {CELLS}", "", also)
    return finding(rule, at_place(error.place), f"{device.path}: {error.reason}")


def _wrong_provider(device: Node, provider: Node, own: str | None, index: int | None) -> Finding:
    other = f", not {own}" if own else ""
    message = f"{device.path} names {provider.path}{other}: Xen asks for no permission"
    spot = at(device, CONTROLLERS, entry=index)
    return finding("access-controllers-not-xen", spot, message, "", ("what it names", at(provider)))


def _device_id(material: Material, device: Node, item: Controller, index: int) -> Iterator[Finding]:
    spot = at(device, CONTROLLERS, entry=index)
    cells = item.provider.u32(CELLS)
    if cells != 1:
        message = f"{item.provider.path} has {CELLS} = <{cells}>, so the device id is not read as one cell"
        yield finding("provider-without-cells", at(item.provider, CELLS), message, "", ("used here", spot))
    elif material.platform is not None:
        known = [one.id for one in material.platform.platform.device]
        if item.device_id not in known:
            message = f"{device.path} is device {item.device_id} to Xen, which the firmware does not know"
            fate, *also = _denied(material, device)
            yield finding("provider-unknown-device", spot, f"{message}{fate}", "", *also)


def _denied(material: Material, device: Node) -> tuple[str, *tuple[tuple[str, Spot], ...]]:
    """Who is not built when the firmware answers NOT_FOUND for ``device``."""
    assert material.host is not None
    for domain in material.domains:
        for given in domain.devices:
            if given.path == device.path and domain.agent is not None:
                return f" (-ENOENT){building.fate(domain)}", ("given here", given.spot)
    if material.dom0_agent is not None and any(
        one.path == device.path for one in dom0.devices(material.host)
    ):
        return (" (-ENOENT): Xen panics, Error creating domain 0",)
    return ("; no domain with an agent is given it",)


def _assigned(
    material: Material, tree: Tree, own: str | None, controlled: dict[str, list[int]]
) -> Iterator[Finding]:
    owners: dict[str, tuple[str, Spot]] = {}
    consumers = _consumers(tree)
    iommu = building.of(material, tree)  # what it protects is refused, not shared
    dom0s = {node.path for node in dom0.devices(tree)}
    for domain in material.domains:
        for given in domain.devices:
            path, spot = given.path, given.spot
            device = tree.get(path)
            if device is None:
                yield finding(
                    "device-path-unknown", spot, f"{path} is not in the host tree{_near(tree, path)}"
                )
                continue
            if path in owners and owners[path][0] != domain.name:
                message = f"{path} is given to {domain.name} and to {owners[path][0]}"
                yield finding("device-in-two-domains", spot, message, "", ("given here too", owners[path][1]))
            owners.setdefault(path, (domain.name, spot))
            if own is not None and domain.agent is not None:
                yield from _control(device, spot, path in controlled, path in consumers, domain.name)
            if path in controlled and path in dom0s and not iommu.protected(device):
                message = f"{path} is given to {domain.name}, but it is Dom0's as well"
                place = at(device, dom0.PASSTHROUGH)
                yield finding("device-shared-with-dom0", place, message, "", ("given here", spot))
    yield from _unassigned(material, tree, own, controlled, owners)


def _control(device: Node, spot: Spot, controlled: bool, consumer: bool, name: str) -> Iterator[Finding]:
    if controlled or CONTROLLERS in device.properties:
        return  # what is wrong with an existing one has been said
    place = at(device, CONTROLLERS)
    if consumer:
        message = f"{device.path} uses SCMI and is given to {name}, but it has no {CONTROLLERS}"
        yield finding("device-uncontrolled", place, message, "", ("given here", spot))
    else:
        message = f"{device.path} is given to {name}; nothing ties it to SCMI"
        yield finding("device-plain", place, message, "", ("given here", spot))


def _unassigned(
    material: Material,
    tree: Tree,
    own: str | None,
    controlled: dict[str, list[int]],
    owners: dict[str, tuple[str, Spot]],
) -> Iterator[Finding]:
    lost = any(domain.boot and domain.tree_named and domain.tree is None for domain in material.domains)
    if own is None or lost or not _all_known(material):
        return
    for path in controlled:
        device = tree[path]
        if dom0.PASSTHROUGH in device.properties and path not in owners and device.available():
            message = f"{path} is withheld from Dom0 and given to nobody"
            yield finding("device-unassigned", at(device, dom0.PASSTHROUGH), message)


def _all_known(material: Material) -> bool:
    """Whether every listed agent has its domain here: else who gets a device may just not be given."""
    asked = {domain.agent for domain in material.domains} | {material.dom0_agent}
    return material.complete and set(material.agents) <= asked


def _consumers(tree: Tree) -> set[str]:
    """Devices whose clocks, resets or power come from the host tree's SCMI node."""
    try:
        found = bind(tree)
    except TreeError:
        return set()
    return {one.path for one in found.consumers} if found else set()


def _near(tree: Tree, path: str) -> str:
    """A hint at the node that may be meant: of the same name, elsewhere."""
    name = path.rsplit("/", 1)[-1]
    other = next((node.path for node in tree if node.name == name and name), None)
    return f"; {other} is" if other else ""
