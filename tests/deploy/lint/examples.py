"""For each rule, at least one way to break it: what is edited, and what the finding underlines."""

from collections.abc import Mapping
from typing import NamedTuple

from nodes.xen.profile import DEFAULT, FORWARDER, V7, V9, Profile
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
ENTRY_2, ENTRY_3 = "0x82000004 &scmi_shm_2 2", "0x82000005 &scmi_shm_3 3"
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


FILES = [
    one("unreadable", GUEST, "", ""),
    one("unreadable", IVI, "ivi.dts", "nowhere.dts"),
    one("syntax", HOST, "chosen {", "chosen {{", "chosen {{"),
    one("syntax", IVI, "vcpus = 2", "vcpus = x", "vcpus = x"),
    one("syntax", TOML, "area_bytes = 128", 'area_bytes = "128"', 'area_bytes = "128"'),
    one("syntax", TOML, "trusted = true", "trused = true", "trused = true"),
    one("syntax", HOST, "&scmi_shm_3 3", "&scmi_shm_33 3", "scmi_shm_33"),
    one("syntax", TOML, 'name = "automotive"', 'name = "automotive'),
    one("syntax", TOML, 'name = "dom0"\n', "", "[[agent]]"),
    one("property-after-subnode", GUEST, "\t\ti2c@", "\t\tlate = <1>;\n\t\ti2c@", "late = <1>"),
    one(
        "property-after-subnode", HOST, "\tchosen {", '\tlate;\n\t/* x { */ a = "b { c";\n\tchosen {', "late"
    ),
    host("no-xen-sci", "/", (CONTAINER, ""), (LIST, ""), (DOM0, "")),
]
CHANNELS = [
    host("no-container", "xen_scmi_config", (CONTAINER, "")),
    host("no-container", "xen_scmi_config", (CONTAINER, ""), (LIST, "")),
    host("second-container", "xen_scmi_config", ("\t\txen {", '\t\txen {\n\t\tcompatible = "xen,sci";')),
    host("no-management-node", 'status = "disabled"', (XEN_PAGE, f'{XEN_PAGE} \n status = "disabled";')),
    host("no-management-node", "xen,passthrough", (XEN_PAGE, f"{XEN_PAGE} \n xen,passthrough;")),
    host("no-management-node", "xen_scmi_config", (XEN_ID, 'compatible = "arm,scmi";')),
    host(
        "second-management-node",
        'compatible = "arm,scmi-smc"',
        ("\t\t\t\tscmi_xen:", f"{SECOND_XEN}\n\t\t\t\tscmi_xen:"),
    ),
    host("smc-id-missing", "scmi", (XEN_ID, "")),
    host("smc-id-missing", "arm,smc-id = [82]", (XEN_ID, "arm,smc-id = [82];")),
    host("shmem-unusable", "scmi", (XEN_PAGE, "")),
    host("shmem-unusable", "reg = <0x0 0x47ff3000>", (PAGE_3, "reg = <0x0 0x47ff3000>;")),
    host("shmem-unusable", "sram@47ff3000", (PAGE_3, "")),
    host(
        "shmem-unusable",
        "ranges = <0 0 0 0 0 1>",
        ("\t\t\tranges;\n\n\t\t\txen_", "ranges = <0 0 0 0 0 1>;\n xen_"),
    ),
    host("missing-ranges", "xen", ("\t\t\tranges;\n\n\t\t\txen_scmi", "\t\t\txen_scmi")),
    host("missing-ranges", "chosen", ("\t\tranges;\n\t\tbootargs", "\t\tbootargs")),
    host("missing-ranges", "xen_scmi_config", ("\t\t\t\tranges;\n\n\t\t\t\t/* <", "\t\t\t\t/* <")),
    host("dangling-phandle", "shmem = <0xdead>", (XEN_PAGE, "shmem = <0xdead>;")),
    host("dangling-phandle", "0xdead", (ENTRY_3, "0x82000005 0xdead 3")),
    host("dangling-phandle", "access-controllers = <0xdead 1>", (MMC, "access-controllers = <0xdead 1>;")),
    host("dangling-phandle", "clocks = <0xdead 1>", ("clocks = <&scmi_clk 1>", "clocks = <0xdead 1>")),
    host("shmem-unaligned", "reg = <0x0 0x47ff3000 0x0 0x800>", (PAGE_3, PAGE_3.replace("0x1000", "0x800"))),
    host(
        "shmem-unaligned", "reg = <0x0 0x47ff3800 0x0 0x1000>", (PAGE_3, PAGE_3.replace("ff3000", "ff3800"))
    ),
    host("xen-shmem-unaligned", "shmem = <&scmi_shm_1>", ("<0x0 0x47ff1000 0x0", "<0x0 0x47ff1800 0x0")),
    host("reg-cells-mismatch", "#address-cells = <1>", (SIZES, SIZES.replace("2", "1"))),
    host(
        "reg-cells-mismatch",
        "#address-cells = <2>",
        *((page(agent), page(agent).replace("0x0 ", "")) for agent in range(5)),
    ),
    host("agents-cells", "#scmi-secondary-agents-cells = <4>", (WIDTH, WIDTH.replace("3", "4"))),
    host("agents-cells-mismatch", "#scmi-secondary-agents-cells = <2>", (WIDTH, WIDTH.replace("3", "2"))),
    host("agents-cells-mismatch", "#scmi-secondary-agents-cells = <3>", (LIST, PAIRS)),
    host("agents-cells-mismatch", PAIRS.split("\n", 1)[0], (LIST, PAIRS), (WIDTH, "")),
    host("agents-missing", "xen_scmi_config", (LIST, "")),
    host(
        "agents-length",
        "scmi-secondary-agents = <91 92 93 94>",
        (LIST, "scmi-secondary-agents = <91 92 93 94>;"),
    ),
    host("agents-length", "&scmi_shm_4", (ENTRY_3, "0x82000005 &scmi_shm_3")),
    host("agents-length", "0x82000006 &scmi_shm_4", ("0x82000006 &scmi_shm_4 4", "0x82000006 &scmi_shm_4")),
    host("agents-length", "scmi-secondary-agents", (LIST, "scmi-secondary-agents;")),
    host("duplicate-agent-id", "2", (ENTRY_3, "0x82000005 &scmi_shm_3 2")),
    one("agent-is-xens", HOST, ENTRY_3, "0x82000005 &scmi_shm_3 1", "1"),
    one("agent-is-xens", HOST, DOM0, "xen,dom0-sci-agent-id = <1>;", "xen,dom0-sci-agent-id = <1>"),
    one("agent-is-xens", IVI, "agent_id=3", "agent_id=1", IVI_SCI.replace("3", "1")),
    host("agent-id-unreachable", "255", (ENTRY_3, "0x82000005 &scmi_shm_3 255")),
    host("duplicate-smc-id", "0x82000004", (ENTRY_3, "0x82000004 &scmi_shm_3 3")),
    host("duplicate-smc-id", "(0x82000000 + 3)", (ENTRY_3, "(0x82000000 + 3) &scmi_shm_3 3")),
    host("duplicate-shmem", "&scmi_shm_2", (ENTRY_3, "0x82000005 &scmi_shm_2 3")),
    host("shared-page", "&scmi_shm_3", (PAGE_3, "reg = <0x0 0x47ff2800 0x0 0x800>;")),
    host("overlapping-shmem", "&scmi_shm_4", (PAGE_3, PAGE_3.replace("0x1000", "0x2000"))),
    host(
        "shmem-compatible",
        'compatible = "sram"',
        (f'"arm,scmi-shmem";\n\t\t\t\t\t{PAGE_3}', f'"sram";\n{PAGE_3}'),
    ),
    host("smc-id-owner", "0x83000005", (ENTRY_3, "0x83000005 &scmi_shm_3 3")),
    host("smc-id-owner", "arm,smc-id = <0xc4000003>", (XEN_ID, "arm,smc-id = <0xc4000003>;")),
    host("smc-id-not-fast", "0x2000005", (ENTRY_3, "0x2000005 &scmi_shm_3 3")),
]
DOM0_RULES = [
    host("host-channel-privileged", "arm,smc-id = <0x82000002>", (XEN_ID, HOST_ID)),
    host("host-channel-privileged", "shmem = <&scmi_shm>", (XEN_PAGE, "shmem = <&scmi_shm>;")),
    one(
        "host-channel-privileged",
        TOML,
        "shmem = 0x47ff0000",
        "shmem = 0x47ff0000\ntrusted = true",
        "trusted = true",
    ),
    host("dom0-agent-missing", "xen_scmi_config", (DOM0, "")),
    host("dom0-agent-invalid", "xen,dom0-sci-agent-id = <255>", (DOM0, "xen,dom0-sci-agent-id = <255>;")),
    host("dom0-agent-unknown", "xen,dom0-sci-agent-id = <9>", (DOM0, "xen,dom0-sci-agent-id = <9>;")),
    host("dom0-channel-mismatch", "arm,smc-id = <0x82000009>", (HOST_ID, "arm,smc-id = <0x82000009>;")),
    host(
        "dom0-channel-mismatch",
        "shmem = <&scmi_shm>",
        ("sram@47ff0000 {", "sram@47ff9000 {"),
        ("47ff0000 0x0", "47ff9000 0x0"),
    ),
    host("dom0-channel-absent", "xen,dom0-sci-agent-id = <0>", (HOST_ID, f'{HOST_ID} status = "disabled";')),
    host("host-channel-unusable", "scmi", (HOST_ID, "")),
    host(
        "host-channel-unusable",
        "spare",
        ("\tfirmware {", '\tspare { compatible = "arm,scmi-shmem"; };\n firmware {'),
    ),
    host(
        "foreign-shmem-exposed",
        "sram@47ff3000",
        ("\tfirmware {", f'\tsram@47ff3000 {{ compatible = "arm,scmi-shmem"; {PAGE_3} }};\n\tfirmware {{'),
    ),
    host("not-in-profile", "xen,dom0-sci-agent-id = <0>", profile=V7),
]
DEVICES = [
    host(
        "access-controllers-not-xen",
        "access-controllers = <&host 1>",
        ("\t\tscmi {", "\t\thost: scmi {\n #access-controller-cells = <1>;"),
        (MMC, "access-controllers = <&host 1>;"),
    ),
    host(
        "access-controllers-not-xen",
        "access-controllers = <&host 1>",
        ("\t\tscmi {", "\t\thost: scmi {"),
        (MMC, "access-controllers = <&host 1>;"),
    ),
    host("provider-without-cells", "scmi", (PROVIDER_CELLS, "")),
    host(
        "provider-without-cells",
        "#access-controller-cells = <0>",
        (PROVIDER_CELLS, "#access-controller-cells = <0>;"),
    ),
    host("provider-without-cells", "access-controllers = <&gic 1>", (MMC, "access-controllers = <&gic 1>;")),
    host(
        "access-controllers-short",
        "access-controllers = <&scmi_xen>",
        (MMC, "access-controllers = <&scmi_xen>;"),
    ),
    one("device-path-unknown", IVI, "/soc/gpu@fd000000", "/soc/gpu@fd", "/soc/gpu@fd"),
    one("device-path-unknown", BOOT, '"/soc/can@e66c0000"', '"/can"', 'xen,path = "/can"'),
    host("device-uncontrolled", "i2c@e6508000", ("access-controllers = <&scmi_xen 5>;", "")),
    host(
        "device-plain",
        "i2c@e6508000",
        ("access-controllers = <&scmi_xen 5>;", ""),
        ("clocks = <&scmi_clk 5>;\n\t\t\tpower-domains = <&scmi_pd 3>;\n\t\t\tresets = <&scmi_reset 5>;", ""),
    ),
    one("device-unassigned", IVI, ', "/soc/gpu@fd000000"', "", "xen,passthrough"),
    host(
        "device-shared-with-dom0",
        "i2c@e6508000",
        ("<&scmi_xen 5>;\n\t\t\txen,passthrough;", "<&scmi_xen 5>;"),
    ),
    one("device-in-two-domains", TCU, "/soc/i2c@e6510000", "/soc/i2c@e6508000", "/soc/i2c@e6508000"),
    one(
        "provider-unknown-device",
        HOST,
        MMC,
        "access-controllers = <&scmi_xen 99>;",
        "access-controllers = <&scmi_xen 99>",
    ),
    one(
        "provider-unknown-device", HOST, "scmi_xen 3>", "scmi_xen 93>", "access-controllers = <&scmi_xen 93>"
    ),
    one(
        "provider-unknown-device", HOST, "scmi_xen 6>", "scmi_xen 96>", "access-controllers = <&scmi_xen 96>"
    ),
    one("iommu-refuses", BOOT, f"{CAN}\n\t\t\t{FORCE}", CAN, CAN[:-1]),
    one("iommu-refuses", IVI, "dtdev", f"{DISABLED}\ndtdev", DISABLED),
    one("iommu-refuses", HOST, BOOTARGS, f"{IOMMU_OFF};\n {BOOTARGS}", IOMMU_OFF),
    one(
        "iommu-refuses", HOST, f"{GPU}\n\t\t\txen,passthrough;", f"{GPU} iommus = <1 2>;", "/soc/gpu@fd000000"
    ),
    Example(
        "iommu-refuses",
        {HOST: ((GPU, f"{GPU} iommus = <1 2>;"),), IVI: (('"/soc/i2c@e6508000"', '"/soc/gpu@fd000000"'),)},
        "/soc/gpu@fd000000",
    ),
    one(
        "iommu-refuses",
        IVI,
        'arm_sci = "type=scmi_smc_multiagent,agent_id=3"',
        "",
        "/soc/gpu@fd000000",
        profile=FORWARDER,
    ),
]
DOMAINS = [
    one("sci-config", IVI, "agent_id=3", "agent_id=300", IVI_SCI.replace("=3", "=300")),
    one(
        "sci-config",
        IVI,
        "type=scmi_smc_multiagent",
        "type=scmi",
        IVI_SCI.replace("scmi_smc_multiagent", "scmi"),
    ),
    one("sci-config", IVI, "47ff3,1@", "47ff3@", "47ff3@22001"),
    one("sci-config", HOST, "scmi_smc_multiagent", "scmi_smc_multi", 'xen,sci_type = "scmi_smc_multi"'),
    one("sci-config", HOST, "xen,sci-agent-id = <2>;", "", "cluster"),
    one(
        "sci-config",
        BOOT,
        "0x47ff2000 0x0 0x1000",
        "0x47ff2800 0x0 0x1000",
        "xen,reg = <0x0 0x47ff2800 0x0 0x1000 0x0 0x22001000>",
    ),
    one(
        "sci-type-refused",
        IVI,
        "type=scmi_smc_multiagent",
        "type=scmi_smc",
        IVI_SCI.replace("_multiagent", ""),
    ),
    one("sci-type-refused", HOST, '"scmi_smc_multiagent"', '"scmi_smc"', 'xen,sci_type = "scmi_smc"'),
    one("sci-config", IVI, "agent_id=3", "agent_id=4", IVI_SCI.replace("3", "4"), profile=FORWARDER),
    one("sci-type-refused", IVI, IVI_SCI, SINGLE, SINGLE, profile=FORWARDER),
    Example(
        "sci-type-refused",
        {
            IVI: ((IVI_SCI, SINGLE),),
            TCU: ((IVI_SCI.replace("3", "4"), SINGLE),),
            HOST: ((BOOTARGS, PASSTHROUGH),),
        },
        SINGLE,
        FORWARDER,
    ),
    host("not-in-profile", CONTAINER[:-1], profile=FORWARDER),
    host("smc-id-missing", "scmi", (HOST_ID, ""), profile=FORWARDER),
    one("arm-sci-ignored", IVI, "type=", "agent_id=3,type=", "agent_id=3", profile=FORWARDER),
    one("arm-sci-ignored", IVI, ",agent_id", ", agent_id", " agent_id=3"),
    one("arm-sci-ignored", IVI, ",agent_id=3", ",agent_id=3x", "agent_id=3x"),
    one("arm-sci-ignored", IVI, ",agent_id=3", ",agent_id=3,agent=3", "agent=3"),
    one("arm-sci-ignored", IVI, ",agent_id=3", ",agent_id=2,agent_id=3", "agent_id=3"),
    one("arm-sci-agent-default", IVI, ",agent_id=3", "", IVI_SCI.replace(",agent_id=3", "")),
    one("sci-config", IVI, "agent_id=3", "agent_id=0", IVI_SCI.replace("=3", "=0"), profile=V9),
    host("domain-without-mediator", IVI_SCI, (CONTAINER, ""), (LIST, ""), (DOM0, "")),
    one("agent-unknown", IVI, "agent_id=3", "agent_id=7", IVI_SCI.replace("=3", "=7")),
    one("agent-in-two-domains", IVI, "agent_id=3", "agent_id=0", IVI_SCI.replace("=3", "=0")),
    one("agent-in-two-domains", TCU, "agent_id=4", "agent_id=3", IVI_SCI),
    one("domain-name-taken", TCU, 'name = "tcu"', 'name = "ivi"', 'name = "ivi"'),
    one("domain-name-taken", TCU, 'name = "tcu"', 'name = "dom0"', 'name = "dom0"'),
    one("domain-name-taken", TCU, 'name = "tcu"', 'name = "firmware"', 'name = "firmware"'),
    one("too-many-frames", IVI, IVI_PAGE, '"47ff3,40001@22001"', "47ff3,40001@22001"),
    one(
        "too-many-frames",
        BOOT,
        "0xfeb00000 0x0 0x40000 0x0 0xfeb00000>;",
        "0xfeb00000 0x1 0x40000 0x0 0xfeb00000>;",
        "xen,reg = <0x0 0xfeb00000 0x1 0x40000 0x0 0xfeb00000>",
    ),
    host("too-many-frames", "reg = <0x0 0x47ff0000 0x1 0x1000>", ("47ff0000 0x0", "47ff0000 0x1")),
    one("domain-name-unusable", IVI, 'name = "ivi"', 'name = "a/b"', 'name = "a/b"'),
    one("domain-name-unusable", IVI, 'name = "ivi"', f'name = "{"x" * 65}"', f'name = "{"x" * 65}"'),
    Example("partial-unknown-domain", {}, dom0less={"clutser": BOOT}),
    one("guest-tree-missing", IVI, 'device_tree = "ivi.dts"\n', "", 'name = "ivi"'),
    one("guest-channel-missing", GUEST, '"arm,scmi-smc"', '"arm,scmi"', "/"),
    one("guest-channel-unused", IVI, IVI_SCI, "", "scmi"),
    one("guest-channel-unusable", GUEST, "arm,smc-id = <0x82000005>;", "", "scmi"),
    one("guest-outside-passthrough", GUEST, "passthrough {", "pass-through {", "scmi"),
    one("guest-outside-passthrough", BOOT, "passthrough {", "pass-through {", "scmi"),
    one(
        "sci-config",
        BOOT,
        "0x22001000>;\n\t\t\txen,force-assign-without-iommu;",
        "0x22001000>;",
        "xen,reg = <0x0 0x47ff2000 0x0 0x1000 0x0 0x22001000>",
    ),
    one("guest-smc-id", GUEST, "0x82000005", "0x82000004", "arm,smc-id = <0x82000004>"),
    one("guest-smc-id", BOOT, "0x82000004", "0x82000005", "arm,smc-id = <0x82000005>"),
    one("guest-shmem", IVI, "47ff3,1@", "47ff9,1@", "47ff9,1@22001"),
    one(
        "guest-shmem",
        BOOT,
        "0x47ff2000",
        "0x47ff9000",
        "xen,reg = <0x0 0x47ff9000 0x0 0x1000 0x0 0x22001000>",
    ),
    one("guest-shmem-unmapped", IVI, "@22001", "@22002", "reg = <0x0 0x22001000 0x0 0x1000>"),
    one("foreign-page", IVI, "47ff3,1@", "47ff4,1@", "47ff4,1@22001"),
    one("foreign-page", IVI, IVI_PAGE, f'{IVI_PAGE}, "47ff1,1"', "47ff1,1"),
]
FIRMWARE = [
    one("platform-invalid", TOML, "smc_id = 0x82000006", "smc_id = 0x82000005", "smc_id = 0x82000005"),
    one("platform-invalid", TOML, "rate = 1_600_000_000\n", "rate = 5\n", "rate = 5"),
    one("channel-not-served", TOML, "smc_id = 0x82000006", "smc_id = 0x82000009", "0x82000006"),
    one(
        "channel-not-served", TOML, "smc_id = 0x82000003", "smc_id = 0x82000009", "arm,smc-id = <0x82000003>"
    ),
    one("channel-not-served", TOML, "shmem = 0x47ff4000", "shmem = 0x47ff9000", "&scmi_shm_4"),
    one("channel-not-served", TOML, "shmem = 0x47ff1000", "shmem = 0x47ff9000", "shmem = <&scmi_shm_1>"),
    one("agent-id-mismatch", TOML, 'id = 4\nname = "tcu"', 'id = 5\nname = "tcu"', "4"),
    Example(
        "agent-beyond-count",
        {TOML: (('id = 4\nname = "tcu"', 'id = 9\nname = "tcu"'),), HOST: (("_shm_4 4", "_shm_4 9"),)},
        "9",
    ),
    one("xen-not-trusted", TOML, "trusted = true", "trusted = false", "trusted = false"),
    one("xen-not-trusted", TOML, "trusted = true", "", "[[agent]]"),
    one("other-trusted", TOML, "shmem = 0x47ff2000", "shmem = 0x47ff2000\ntrusted = true", "trusted = true"),
    one("agent-unlisted", HOST, "0x82000006 &scmi_shm_4 4", "", "smc_id = 0x82000006"),
]
NAMES = [
    host(
        "old-name",
        "xen,scmi-secondary-agents = <1 2 3>",
        (DOM0, f"{DOM0} xen,scmi-secondary-agents = <1 2 3>;"),
    ),
    host("old-name", "xen,sci_agent_id = <2>", ("xen,sci-agent-id", "xen,sci_agent_id")),
    host("old-name", 'compatible = "xen,config"', (CONTAINER, 'compatible = "xen,config";')),
    host(
        "old-command-line",
        'xen,xen-bootargs = "dom0_scmi_agent_id=0"',
        ("bootargs", 'xen,xen-bootargs = "dom0_scmi_agent_id=0";\n bootargs'),
    ),
    host(
        "dom0-agent-unknown",
        'xen,xen-bootargs = "dom0=sci-agent-id=9"',
        ("bootargs", 'xen,xen-bootargs = "dom0=sci-agent-id=9";\n bootargs'),
        profile=V7,
    ),
    host(
        "old-command-line",
        'xen,xen-bootargs = "console=dtuart dom0=sci-agent-id=0"',
        ("bootargs", 'xen,xen-bootargs = "console=dtuart dom0=sci-agent-id=0";\n bootargs'),
    ),
]
EXAMPLES = [*FILES, *CHANNELS, *DOM0_RULES, *DEVICES, *DOMAINS, *FIRMWARE, *NAMES]
