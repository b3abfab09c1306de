"""A vendor protocol from another package on a live platform: the page's own example, in a folder."""

import os
import tomllib
from pathlib import Path

import pytest

from deploy import control, plugins
from deploy.topology import shipped
from tests.deploy.test_plugins import example
from tests.system.cluster import IVI, TCU, Cluster
from tests.system.speaker import ask, holdings


@pytest.fixture
def installed(cluster: Cluster) -> dict[str, str]:
    """The variables that make the example's package one of those installed."""
    site = cluster.folder / "site"
    info = site / "trapline_fan-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "fan.py").write_text(example("fan.py"), encoding="utf-8")
    declared = tomllib.loads(example("pyproject.toml"))["project"]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: 1.0\n")
    points = declared["entry-points"][plugins.GROUP].items()
    lines = "".join(f"{name} = {target}\n" for name, target in points)
    (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{lines}")
    path = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path)}


def files(cluster: Cluster) -> tuple[object, ...]:
    """The automotive platform with the fan; who has the gpu has the fan's device, too."""
    platform, host = cluster.folder / "platform.toml", cluster.folder / "host.dts"
    platform.write_text((shipped() / "platform.toml").read_text() + example("platform.toml"))
    text = (shipped() / "host.dts").read_text()
    old = "access-controllers = <&scmi_xen 6>;"
    assert text.count(old) == 1
    host.write_text(text.replace(old, "access-controllers = <&scmi_xen 6>, <&scmi_xen 20>;"))
    cluster_dts = f"cluster={shipped() / 'cluster.dts'}"
    return "--host-dt", host, "--platform", platform, "--xl", IVI, "--xl", TCU, "--dom0less", cluster_dts


def test_it_is_called_held_and_freed(cluster: Cluster, installed: dict[str, str]) -> None:
    cluster.up("--idle", *files(cluster), **installed)

    def call(domain: str, *words: str) -> str:
        done = cluster.here("call", domain, *words, "--json", **installed)
        return done.stdout + done.stderr

    assert '"SUCCESS"' in call("ivi", "fan.FAN_SPEED_SET", "fan_id=0", "speed=1200")
    assert '"DENIED"' in call("tcu", "fan.FAN_SPEED_SET", "fan_id=0", "speed=9000")
    assert '"NOT_FOUND"' in call("ivi", "fan.FAN_SPEED_SET", "fan_id=2", "speed=9000")
    assert '"speed": "1200"' in call("ivi", "fan.speed_get", "fan_id=0")
    held = holdings(cluster, "ivi")["now"]
    wish = {"kind": "vote", "protocol": "fan", "resource": "fan 0", "what": "speed", "value": 1200}
    assert wish in held
    ask(cluster, control.Reboot("ivi"))
    after = holdings(cluster, "ivi")
    assert wish in after["reset"]["before"]
    assert "vote" not in {one["kind"] for one in after["now"]}
    assert after["reset"]["verdict"] == "nothing left"
    assert '"speed": "0"' in call("ivi", "fan.speed_get", "fan_id=0")


def test_without_the_package_nothing_starts(cluster: Cluster) -> None:
    refused = cluster.here("up", "--detach", "--idle", *files(cluster))
    assert refused.returncode == 2
    assert "no plug-in has protocol 'fan'; install it" in refused.said
    assert cluster.left_behind() == []
    unknown = cluster.trapline("call", "ivi", "fan.speed_get", "fan_id=0", "--run-dir", Path("x"))
    assert "fan: no such protocol" in unknown.said
