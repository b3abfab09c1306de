"""A real platform with another firmware: chosen, shown, wedged, leaking, and told so."""

import pytest

from tests.system.cluster import Cluster

RATE = ("call", "ivi", "clock.CLOCK_RATE_SET", "flags=0", "clock_id=5", "rate=66_666_666")
ALIVE = ("call", "ivi", "base.PROTOCOL_VERSION")
DOORBELL = "0x82000005"


@pytest.mark.parametrize("pages", [(), ("--mapped",)], ids=["carried", "mapped"])
def test_one_bad_doorbell_outlives_the_domain(cluster: Cluster, pages: tuple[str, ...]) -> None:
    """The channel is dead for the domain and its successor, and the ledger says so."""
    assert cluster.here("up", "--detach", "--idle", "--firmware", "tfa-multiagent", *pages).returncode == 0
    assert cluster.here("status", "--json").json["firmware"] == "tfa-multiagent"
    assert cluster.here(*ALIVE).returncode == 0
    assert cluster.here("trap", "ivi", DOORBELL).returncode == 0
    assert "ERROR is set" in cluster.here(*ALIVE).stdout
    assert cluster.here("xl", "reboot", "ivi").returncode == 0
    assert cluster.here(*ALIVE).returncode == 1
    ledger = cluster.here("ledger", "ivi")
    assert (ledger.returncode, "LEAK: busy for ever" in ledger.stdout) == (1, True)
    assert cluster.here("call", "tcu", "base.PROTOCOL_VERSION").returncode == 0
    assert cluster.here("down").returncode == 0


@pytest.mark.parametrize(("firmware", "leaks"), [("spec-strict", False), ("scp-firmware", True)])
def test_what_a_dead_domain_leaves_behind(cluster: Cluster, firmware: str, leaks: bool) -> None:
    assert cluster.here("up", "--detach", "--idle", "--firmware", firmware).returncode == 0
    assert cluster.here(*RATE).returncode == 0
    held = cluster.here("ledger", "ivi", "--json").json
    assert (held["agent"], held["domain"], held["reset"]) == (3, "ivi", None)
    assert {"clock 5"} == {row["resource"] for row in held["now"] if row["kind"] == "vote"}
    assert cluster.here("xl", "destroy", "ivi").returncode == 0
    after = cluster.here("ledger", "3")
    assert after.returncode == leaks
    assert ("LEAK: clock 5 rate" if leaks else "nothing left") in after.stdout
    assert cluster.here("down").returncode == 0


def test_a_broken_reset_line(cluster: Cluster) -> None:
    assert cluster.here("up", "--detach", "--idle").returncode == 0
    pulse = ("call", "ivi", "reset.RESET", "domain_id=5", "flags=1", "reset_state=0")
    assert cluster.here(*pulse).returncode == 0
    assert cluster.here("inject", "reset", "5").stdout == "reset 5: broken\n"
    assert "HARDWARE_ERROR" in cluster.here(*pulse).stdout
    assert cluster.here("inject", "reset", "5", "--mend").returncode == 0
    assert cluster.here(*pulse).returncode == 0
    unknown = cluster.here("inject", "reset", "99")
    assert (unknown.returncode, "there is no reset 99" in unknown.said) == (2, True)
    assert "fault" in cluster.here("status").stdout
    assert cluster.here("down").returncode == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("up", "--firmware", "tf-a"), "there is no firmware profile 'tf-a'; there are spec-strict"),
        (("sim", "--firmware", "imx-sm+crc"), "imx-sm has no option 'crc'; its options: checksum, tokens"),
        (("interop", "--firmware", "x"), "there is no firmware profile 'x'"),
        (("profiles", "x"), "there is no firmware profile 'x'"),
        (("ledger", "ivi"), "no platform runs in"),
    ],
)
def test_words_that_mean_nothing(cluster: Cluster, words: tuple[str, ...], complaint: str) -> None:
    extra = () if words[0] in ("sim", "interop", "profiles") else ("--run-dir", cluster.run)
    done = cluster.trapline(*words, *extra)
    assert done.returncode == 2
    assert complaint in done.said
