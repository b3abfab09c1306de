"""For the tests of written trees: dtc, and the shipped platform's parts."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy import devicetree
from deploy.devicetree.source import Sources
from deploy.dt.guest import ADDRESS, Kind, Plan, plan
from deploy.topology import load_shipped
from nodes.devicetree import Tree

# The one remark that Xen's documented form earns: below a simple-bus, scmi has no reg, and never has.
DOCUMENTED = "simple_bus_reg): /passthrough/firmware/scmi:"


def warnings(source: str, tmp_path: Path) -> list[str]:
    """What dtc says about ``source``; fails if it does not compile."""
    dtc = shutil.which("dtc")
    if dtc is None:
        pytest.skip("dtc is not installed")
    file = tmp_path / "checked.dts"
    file.write_text(source)
    command = [dtc, "-I", "dts", "-O", "dtb", "-o", str(tmp_path / "checked.dtb"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if DOCUMENTED not in line]


def parsed(source: str) -> Tree:
    sources = Sources(None)
    sources.add(Path("guest.dts"), source)
    return Tree(sources.finish(), "guest.dts")


def parsed_host(path: Path, changes: dict[str, str]) -> Tree:
    """The shipped host tree with some text replaced, each exactly there."""
    text = (Path(load_shipped().host.source)).read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file = path / "host.dts"
    file.write_text(text)
    return devicetree.load([file])


EVERY_PROVIDER = """/dts-v1/;
/ { mains: mains { }; };
&{/firmware/scmi} {
    scmi_perf: protocol@13 { reg = <0x13>; #power-domain-cells = <1>; #clock-cells = <1>; };
    scmi_sensor: protocol@15 { reg = <0x15>; #thermal-sensor-cells = <1>; };
    protocol@17 { reg = <0x17>; regulators {
        #address-cells = <1>; #size-cells = <0>;
        vdd: regulator@1 { reg = <1>; regulator-name = "vdd-modem"; regulator-max-microvolt = <1000000>; };
    }; };
};
&{/soc/modem@fe000000} {
    power-domains = <&scmi_pd 5>, <&scmi_perf 1>;
    clocks = <&scmi_clk 8>, <&scmi_perf 4>;
    thermal-sensors = <&scmi_sensor 2>;
    modem-supply = <&vdd>;
    usb-supply = <&mains>;
};
"""


def every_provider(folder: Path) -> Tree:
    """The shipped host tree in which the modem also uses performance domains, a sensor and voltage."""
    fragment = folder / "more.dts"
    fragment.write_text(EVERY_PROVIDER)
    return devicetree.load([Path(load_shipped().host.source), fragment])


def planned(
    kind: Kind = "xl",
    devices: tuple[str, ...] = (),
    address: int = ADDRESS,
    agent: int = 4,
    *,
    way_back: bool = False,
) -> Plan:
    """A new guest "tuner" of the shipped platform; agent 3 has a way back there."""
    topology = load_shipped()
    who = ("tuner", kind, agent)
    return plan(topology.host, topology.platform, who, address, devices, way_back=way_back)
