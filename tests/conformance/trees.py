"""The host tree of the scenarios, as source, and how a scenario edits it."""

CANONICAL = """\
/dts-v1/;

/ {
	#address-cells = <2>;
	#size-cells = <2>;

	scmi_shm: sram@47ff0000 {
		compatible = "arm,scmi-shmem";
		reg = <0x0 0x47ff0000 0x0 0x1000>;
	};

	firmware {
		scmi: scmi {
			compatible = "arm,scmi-smc";
			arm,smc-id = <0x82000002>;
			shmem = <&scmi_shm>;
			#address-cells = <1>;
			#size-cells = <0>;
			#access-controller-cells = <1>;
			scmi_clk: protocol@14 {
				reg = <0x14>;
				#clock-cells = <1>;
			};
		};
	};

	soc {
		#address-cells = <2>;
		#size-cells = <2>;
		ranges;
		i2c@e6508000 {
			reg = <0x0 0xe6508000 0x0 0x1000>;
			clocks = <&scmi_clk 5>;
			access-controllers = <&scmi_xen 5>;
			xen,passthrough;
		};
		serial@e6e60000 {
			reg = <0x0 0xe6e60000 0x0 0x1000>;
			xen,passthrough;
		};
	};

	chosen {
		#address-cells = <2>;
		#size-cells = <2>;
		ranges;
		xen {
			#address-cells = <2>;
			#size-cells = <2>;
			ranges;
			xen_scmi_config {
				compatible = "xen,sci";
				#address-cells = <2>;
				#size-cells = <2>;
				ranges;
				#scmi-secondary-agents-cells = <3>;
				scmi-secondary-agents = <
					0x82000002 &scmi_shm_0 0
					0x82000004 &scmi_shm_2 2
					0x82000005 &scmi_shm_3 3
				>;
				xen,dom0-sci-agent-id = <0>;
				scmi_shm_0: sram@47ff0000 {
					compatible = "arm,scmi-shmem";
					reg = <0x0 0x47ff0000 0x0 0x1000>;
				};
				scmi_shm_1: sram@47ff1000 {
					compatible = "arm,scmi-shmem";
					reg = <0x0 0x47ff1000 0x0 0x1000>;
				};
				scmi_shm_2: sram@47ff2000 {
					compatible = "arm,scmi-shmem";
					reg = <0x0 0x47ff2000 0x0 0x1000>;
				};
				scmi_shm_3: sram@47ff3000 {
					compatible = "arm,scmi-shmem";
					reg = <0x0 0x47ff3000 0x0 0x1000>;
				};
				scmi_xen: scmi {
					compatible = "arm,scmi-smc";
					arm,smc-id = <0x82000003>;
					shmem = <&scmi_shm_1>;
					#address-cells = <1>;
					#size-cells = <0>;
					#access-controller-cells = <1>;
				};
			};
		};
	};
};
"""

CELLS = "#scmi-secondary-agents-cells = <3>;"
LIST = """scmi-secondary-agents = <
					0x82000002 &scmi_shm_0 0
					0x82000004 &scmi_shm_2 2
					0x82000005 &scmi_shm_3 3
				>;"""
DOM0_AGENT = "xen,dom0-sci-agent-id = <0>;"
XEN_SMC_ID = "arm,smc-id = <0x82000003>;"
XEN_SHMEM = "shmem = <&scmi_shm_1>;"
SHM_1 = "reg = <0x0 0x47ff1000 0x0 0x1000>;"
SHM_2 = "reg = <0x0 0x47ff2000 0x0 0x1000>;"
CONTAINER = 'xen_scmi_config {\n				compatible = "xen,sci";'
I2C_CONTROLLER = "access-controllers = <&scmi_xen 5>;"

# What EL3 owns, for the scenarios that run the real one.
PLATFORM = """\
name = "conformance"
[[agent]]
id = 0
name = "dom0"
smc_id = 0x82000002
shmem = 0x47ff0000
[[agent]]
id = 1
name = "xen"
smc_id = 0x82000003
shmem = 0x47ff1000
trusted = true
[[agent]]
id = 2
name = "two"
smc_id = 0x82000004
shmem = 0x47ff2000
[[agent]]
id = 3
name = "three"
smc_id = 0x82000005
shmem = 0x47ff3000
[[clock]]
id = 5
name = "i2c"
rates = [1000, 2000, 3000]
rate = 1000
[[device]]
id = 5
name = "i2c"
clocks = [5]
"""


def edited(*changes: tuple[str, str], source: str = CANONICAL) -> str:
    """``source`` with each (old, new) replaced; old must be there exactly once."""
    for old, new in changes:
        assert source.count(old) == 1, f"{source.count(old)} times in the tree: {old}"
        source = source.replace(old, new)
    return source


def secondaries(*entries: str, cells: int | None = 3) -> str:
    """The canonical tree with another list; ``cells`` None leaves the property out."""
    width = "" if cells is None else f"#scmi-secondary-agents-cells = <{cells}>;"
    return edited((CELLS, width), (LIST, f"scmi-secondary-agents = <{' '.join(entries)}>;"))


def without_container(*changes: tuple[str, str]) -> str:
    """A tree of before Xen knew of several agents: /firmware/scmi only, nothing compatible "xen,sci"."""
    head, _, tail = edited(*changes).partition("\t\txen {")
    assert tail
    return edited((I2C_CONTROLLER, ""), source=f"{head}\t}};\n}};\n")
