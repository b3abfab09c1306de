"""``trapline why`` on a real platform: nothing to tell, a denial, a foreign doorbell, a call never made."""

from tests.system.cluster import Cluster


def test_why(cluster: Cluster) -> None:
    cluster.up("--idle")
    nothing = cluster.here("why", "--slow", 60_000)  # ms
    assert nothing.returncode == 2
    assert "none failed" in nothing.said
    assert cluster.here(
        "call", "ivi", "clock.CLOCK_RATE_SET", "flags=0", "clock_id=0", "rate=1000"
    ).returncode
    found = cluster.here("why", "--json").json
    assert (found["call"]["domain"], found["call"]["status"], found["rung"]) == ("ivi", "DENIED", 8)
    assert "clock 0" in found["row"][0]
    assert {"to_xen", "to_el3", "el3", "back"} <= {leg["name"] for leg in found["legs"]}
    request = found["call"]["request"]
    told = cluster.here("why", f"ivi:{request}", COLUMNS="60").stdout
    assert "rung 8" in told
    assert "May the agent do this with the resource?" in " ".join(told.split())
    cluster.here("trap", "tcu", "0x82000003")
    found = cluster.here("why", "--agent", "tcu", "--json").json
    assert "Xen's own channel" in found["verdict"]
    assert cluster.here("why", "nonsense").returncode == 2
    assert cluster.here("why", "ivi:999999").returncode == 2
