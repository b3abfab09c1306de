"""Judges a platform for mainline's forwarder: who gets its one channel, and what it does not read.

The forwarder itself is asked (``nodes.xen.forwarder``); only its answers get names and places here.
"""

from collections.abc import Iterator

from bus.shmem import PrivateMemory
from deploy.lint.domains import type_spot
from deploy.lint.finding import Finding, at, finding
from deploy.lint.material import Material
from nodes.devicetree import Tree
from nodes.xen import binding
from nodes.xen.channel import NONE
from nodes.xen.config import XenConfig
from nodes.xen.errno import XenError
from nodes.xen.forwarder import HARDWARE_DOMAIN, Forwarder


def judge(material: Material) -> Iterator[Finding]:
    """What the forwarder does not read, and the domains that it refuses."""
    if material.host is None or material.profile.driver != "forwarder":
        return
    container = material.host.find_compatible(binding.CONTAINER)
    if container is not None:
        message = f"mainline's forwarder does not read {container.path}; it binds the first arm,scmi-smc node"
        yield finding("not-in-profile", at(container, "compatible"), message)
    for node in binding.smc_nodes(material.host):
        if node.u32("arm,smc-id") is None:
            yield finding("smc-id-missing", at(node, "arm,smc-id"), f"{node.path} has no doorbell")
        break
    yield from _domains(material, material.host)


def _domains(material: Material, tree: Tree) -> Iterator[Finding]:
    config = XenConfig(tree, profile=material.profile)
    forwarder = Forwarder(config, PrivateMemory(), log=_unsaid, hazard=_unsaid)
    for _ in forwarder.probe_all(tree):
        pass
    forwarder.domain_init(HARDWARE_DOMAIN, NONE, 0)
    for domid, domain in enumerate(material.domains, 1):
        try:
            forwarder.domain_init(domid, NONE if domain.sci_type is None else domain.sci_type, 0)
        except XenError as error:
            yield finding("sci-type-refused", type_spot(material, domain), f"{domain.name}: {error}")


def _unsaid(_kind: str, _text: str) -> None:
    """What a running Xen would log; here the findings say it."""
