"""Ways to break the way back: P2A pages and interrupts, of a guest, of a boot domain, of Dom0."""

from tests.deploy.lint.example import BOOT, GUEST, HOST, HOST_ID, IVI, TCU, TOML, Example, one
from tests.deploy.lint.platform import Edits

P2A_PAGE, IRQS, LINE = '"47fe3,1@22002"', "irqs = [ 112 ]", "interrupts = <0 80 4>"
EL3 = "p2a_shmem = 0x47fe3000\np2a_interrupt = 112\n"
SPARE = "\n\t\tspare@1000 {\n\t\t\treg = <0x0 0x1000 0x0 0x1000>;\n\t\t\tinterrupts = <0 80 4>;\n\t\t};\n"
EXPOSED = 'sram@47fe3000 {\n compatible = "arm,scmi-shmem"; reg = <0x0 0x47fe3000 0x0 0x1000>;\n };'
BOTH = "interrupts = <0 80 4>, <0 81 4>"
# Dom0 and the boot domain have a way back as well
DOM0_WAY: Edits = {
    HOST: (
        (
            "\tfirmware {\n",
            '\tp2a: sram@47fe0000 {\n\t\tcompatible = "arm,scmi-shmem";\n'
            "\t\treg = <0x0 0x47fe0000 0x0 0x1000>;\n\t};\n\n\tfirmware {\n",
        ),
        (
            f"{HOST_ID}\n\t\t\tshmem = <&scmi_shm>;",
            f"{HOST_ID}\n\t\t\tshmem = <&scmi_shm &p2a>;\n\t\t\tinterrupts = <0 68 4>;\n"
            '\t\t\tinterrupt-names = "p2a";',
        ),
    ),
    TOML: (("shmem = 0x47ff0000", "shmem = 0x47ff0000\np2a_shmem = 0x47fe0000\np2a_interrupt = 100"),),
}
BOOT_WAY: Edits = {
    BOOT: (
        (
            "\t\tfirmware {\n",
            '\t\tp2a: sram@22002000 {\n\t\t\tcompatible = "arm,scmi-shmem";\n'
            "\t\t\treg = <0x0 0x22002000 0x0 0x1000>;\n"
            "\t\t\txen,reg = <0x0 0x47fe2000 0x0 0x1000 0x0 0x22002000>;\n"
            "\t\t\txen,force-assign-without-iommu;\n\t\t};\n\n\t\tfirmware {\n",
        ),
        (
            "shmem = <&scmi_shm>;",
            'shmem = <&scmi_shm &p2a>;\n\t\t\t\tinterrupts = <0 70 4>;\n\t\t\t\tinterrupt-names = "p2a";',
        ),
    ),
    TOML: (("shmem = 0x47ff2000", "shmem = 0x47ff2000\np2a_shmem = 0x47fe2000\np2a_interrupt = 102"),),
}


def also(rule: str, way: Edits, name: str, change: tuple[str, str], marked: str) -> Example:
    """Where ``way`` has been added, one thing spoilt."""
    return Example(rule, {**way, name: (*way.get(name, ()), change)}, marked)


WAY_BACK = [
    one("p2a-unmapped", IVI, f", {P2A_PAGE}", "", "reg = <0x0 0x22002000 0x0 0x1000>"),
    one("p2a-unmapped", IVI, "@22002", "@22003", "reg = <0x0 0x22002000 0x0 0x1000>"),
    also(
        "p2a-unmapped",
        BOOT_WAY,
        BOOT,
        ("0x0 0x22002000>;\n\t\t\txen,force", "0x0 0x22004000>;\n\t\t\txen,force"),
        "reg = <0x0 0x22002000 0x0 0x1000>",
    ),
    also(
        "p2a-unmapped",
        DOM0_WAY,
        HOST,
        (
            'p2a: sram@47fe0000 {\n\t\tcompatible = "arm,scmi-shmem"',
            'p2a: sram@47fe0000 {\n\t\tcompatible = "mmio-sram"',
        ),
        "reg = <0x0 0x47fe0000 0x0 0x1000>",
    ),
    one("p2a-page", IVI, "47fe3,1@", "47fe9,1@", "47fe9,1@22002"),
    one("p2a-page", TOML, "0x47fe3000", "0x47fe5000", "47fe3,1@22002"),
    also(
        "p2a-page",
        BOOT_WAY,
        BOOT,
        ("0x47fe2000", "0x47fe3000"),
        "xen,reg = <0x0 0x47fe3000 0x0 0x1000 0x0 0x22002000>",
    ),
    also(
        "p2a-page",
        DOM0_WAY,
        TOML,
        ("p2a_shmem = 0x47fe0000", "p2a_shmem = 0x47fe8000"),
        "reg = <0x0 0x47fe0000 0x0 0x1000>",
    ),
    one("p2a-on-channel-page", IVI, "47fe3,1@", "47ff3,1@", "47ff3,1@22002"),
    one("p2a-on-channel-page", IVI, "47fe3,1@", "47ff4,1@", "47ff4,1@22002"),
    one("p2a-on-channel-page", IVI, "47fe3,1@", "47ff1,1@", "47ff1,1@22002"),
    one(
        "p2a-on-channel-page",
        TOML,
        "p2a_shmem = 0x47fe3000",
        "p2a_shmem = 0x47ff4800",
        "p2a_shmem = 0x47ff4800",
    ),
    one("foreign-page", TCU, '"47ff4,1@22001"', '"47ff4,1@22001", "47fe3,1"', "47fe3,1"),
    one("foreign-shmem-exposed", HOST, "\tfirmware {\n", f"{EXPOSED}\n\tfirmware {{\n", "sram@47fe3000"),
    one("interrupt-not-routed", IVI, IRQS, "", LINE),
    one("interrupt-not-routed", IVI, "112", "113", LINE),
    one("interrupt-mismatch", GUEST, "<0 80 4>", "<0 81 4>", "interrupts = <0 81 4>"),
    one("interrupt-mismatch", TOML, "p2a_interrupt = 112", "p2a_interrupt = 99", LINE),
    also("interrupt-mismatch", BOOT_WAY, BOOT, ("<0 70 4>", "<0 71 4>"), "interrupts = <0 71 4>"),
    also("interrupt-mismatch", DOM0_WAY, HOST, ("<0 68 4>", "<0 80 4>"), LINE),
    Example(
        "interrupt-mismatch",
        {
            GUEST: (("interrupts = <0 80 4>;", f"{BOTH};"), ('names = "p2a"', 'names = "p2a", "a2p"')),
            TOML: (("p2a_interrupt = 112", "p2a_interrupt = 112\na2p_interrupt = 114"),),
        },
        BOTH,
    ),
    one("interrupt-not-spi", IVI, IRQS, "irqs = [ 112, 31 ]", "31"),
    one("interrupt-not-spi", IVI, IRQS, "irqs = [ 112, 1020 ]", "1020"),
    one("interrupt-not-spi", IVI, IRQS, 'irqs = [ 112, "0x70" ]', "0x70"),
    Example(
        "interrupt-not-spi",
        {
            GUEST: (("<0 80 4>", "<1 7 4>"),),
            TOML: (("p2a_interrupt = 112", "p2a_interrupt = 23"),),
            IVI: ((IRQS, ""),),
        },
        "p2a_interrupt = 23",
    ),
    Example("interrupt-not-spi", {GUEST: (("<0 80 4>", "<1 7 4>"),)}, "interrupts = <1 7 4>", platform=False),
    one("interrupt-taken", IVI, IRQS, "irqs = [ 112, 112 ]", "112"),
    one("interrupt-taken", HOST, "ranges;\n\n\t\t/* Dom0's */", f"ranges;\n{SPARE}", "112"),
    Example("interrupt-taken", {TCU: (("vcpus = 1", IRQS),)}, "112", platform=False),
    also("interrupt-taken", BOOT_WAY, IVI, (IRQS, "irqs = [ 112, 102 ]"), "102")._replace(platform=False),
    one("foreign-interrupt", TCU, "vcpus = 1", IRQS, "112"),
    one("way-back-not-served", TOML, EL3, "", LINE),
    one("completion-not-raised", GUEST, '"p2a"', '"a2p"', LINE),
    Example(
        "way-back-unused",
        {GUEST: (('interrupt-names = "p2a";', ""),)},
        "p2a_shmem = 0x47fe3000",
    ),
    also("way-back-unused", {TOML: DOM0_WAY[TOML]}, IVI, ("vcpus", "vcpus"), "p2a_shmem = 0x47fe0000"),
]
