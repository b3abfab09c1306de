"""What an example of a broken rule is made of: pieces of the shipped files to edit, and how it is written."""

from collections.abc import Mapping
from typing import NamedTuple

from nodes.xen.profile import DEFAULT, Profile
from tests.deploy.lint.platform import Edits

HOST, IVI, TCU, TOML, GUEST, BOOT = (
    "host.dts",
    "ivi.cfg",
    "tcu.cfg",
    "platform.toml",
    "ivi.dts",
    "cluster.dts",
)
XEN_ID = "arm,smc-id = <0x82000003>;"
XEN_PAGE = "shmem = <&scmi_shm_1>;"
ENTRY_3 = "0x82000005 &scmi_shm_3 3"
CONTAINER = 'compatible = "xen,sci";'
SIZES = f"{CONTAINER}\n\t\t\t\t#address-cells = <2>;\n\t\t\t\t#size-cells = <2>;"
PAGE_3 = "reg = <0x0 0x47ff3000 0x0 0x1000>;"
WIDTH = "#scmi-secondary-agents-cells = <3>;"
DOM0 = "xen,dom0-sci-agent-id = <0>;"
HOST_ID = "arm,smc-id = <0x82000002>;"
IVI_SCI = 'arm_sci = "type=scmi_smc_multiagent,agent_id=3"'
SINGLE = 'arm_sci = "type=scmi_smc"'
BOOTARGS, PASSTHROUGH = "bootargs =", 'xen,xen-bootargs = "scmi-smc-passthrough";\n bootargs ='
IVI_PAGE = '"47ff3,1@22001"'
DISABLED, IOMMU_OFF = 'passthrough = "disabled"', 'xen,xen-bootargs = "iommu=off"'
CAN, FORCE = 'xen,path = "/soc/can@e66c0000";', "xen,force-assign-without-iommu;"
GPU = "access-controllers = <&scmi_xen 6>;"
PROVIDER_CELLS = "#access-controller-cells = <1>;"
MMC = "access-controllers = <&scmi_xen 1>;"
SECOND_XEN = f'spare {{ compatible = "arm,scmi-smc"; {XEN_ID} {XEN_PAGE} }};'
LIST = """scmi-secondary-agents = <
					0x82000002 &scmi_shm_0 0
					0x82000004 &scmi_shm_2 2
					0x82000005 &scmi_shm_3 3
					0x82000006 &scmi_shm_4 4
				>;"""
PAIRS = """scmi-secondary-agents = <0x82000002 &scmi_shm_0 0x82000004 &scmi_shm_2>,
	<0x82000005 &scmi_shm_3 0x82000006 &scmi_shm_4>;"""


def page(agent: int) -> str:
    """The page of an agent, below the container."""
    start = f'scmi_shm_{agent}: sram@47ff{agent}000 {{\n\t\t\t\t\tcompatible = "arm,scmi-shmem";'
    return f"{start}\n\t\t\t\t\treg = <0x0 0x47ff{agent}000 0x0 0x1000>;"


class Example(NamedTuple):
    rule: str
    edits: Edits
    marked: str = ""
    profile: Profile = DEFAULT
    platform: bool = True
    dom0less: Mapping[str, str] | None = None
    more: tuple[str, ...] = ()


def host(rule: str, marked: str, *changes: tuple[str, str], profile: Profile = DEFAULT) -> Example:
    """A spoilt host tree, without the firmware's word for it."""
    return Example(rule, {HOST: changes}, marked, profile, platform=False)


def one(rule: str, name: str, old: str, new: str, marked: str = "", *, profile: Profile = DEFAULT) -> Example:
    return Example(rule, {name: ((old, new),)}, marked, profile)
