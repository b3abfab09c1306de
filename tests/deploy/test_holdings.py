"""What an agent holds, asked of a running platform in the simulated engine, and how it is shown."""

import io

import msgspec
import pytest
from rich.console import Console

from bus.fields import encode
from bus.scmi import clock
from deploy.cli.ledger import GONE_SHOWN, as_data, show
from deploy.engines.simulated import SimulatedEngine
from deploy.errors import UserError
from deploy.holdings import Holdings, LastReset, holdings
from deploy.toolstack import Toolstack, ToolstackError, Work
from deploy.topology import load_shipped, with_firmware
from nodes.firmware import console as el3
from nodes.firmware.ledger import Entry
from nodes.guest import console

VOTE = Entry("vote", "clock", "clock 5", "rate", 66_666_666)
GRANT = Entry("grant", "base", "device 5", "")


def platform(firmware: str | None = None) -> Toolstack:
    topology = with_firmware(load_shipped(), firmware)
    toolstack = Toolstack(SimulatedEngine(topology, 1, lambda *_: None), topology, Work())
    toolstack.start()
    return toolstack


def vote(toolstack: Toolstack) -> None:
    """A rate that a Linux driver would ask for, in either version's layout."""
    request = encode(clock.RateSet(0, 5, VOTE.value))
    assert toolstack.ask("ivi", console.Call(0x14, 0x5, request)).status == 0


def held(toolstack: Toolstack, who: str) -> Holdings:
    return holdings(toolstack.ask_firmware, toolstack.list(), who)


@pytest.mark.parametrize("who", ["ivi", "3"])
def test_a_living_domains_agent(who: str) -> None:
    toolstack = platform()
    vote(toolstack)
    found = held(toolstack, who)
    assert (found.agent, found.name, found.domain, found.firmware) == (3, "ivi", "ivi", "spec-strict")
    assert {VOTE, GRANT} <= set(found.now)
    assert found.reset is None


@pytest.mark.parametrize("who", ["ivi", "3"])
def test_a_dead_domains_agent(who: str) -> None:
    """The name is EL3's by then."""
    toolstack = platform()
    vote(toolstack)
    toolstack.destroy("ivi")
    found = held(toolstack, who)
    assert (found.agent, found.domain, found.now) == (3, None, ())
    assert found.reset is not None
    assert {VOTE, GRANT} <= set(found.reset.before)
    assert (found.reset.after, found.reset.verdict) == ((), "nothing left")
    assert found.reset.age_s >= 0


def test_a_reset_that_does_not_free_is_a_leak() -> None:
    toolstack = platform("scp-firmware")
    vote(toolstack)
    toolstack.destroy("ivi")
    found = held(toolstack, "3").reset
    assert found is not None
    assert VOTE in found.after
    assert found.leaks == (VOTE,)
    assert found.verdict == "LEAK: clock 5 rate"


def test_a_successor_is_who_has_the_agent_now() -> None:
    toolstack = platform()
    vote(toolstack)
    toolstack.reboot("ivi")
    found = held(toolstack, "ivi")
    assert found.domain == "ivi"
    assert VOTE not in found.now
    assert found.reset is not None
    assert VOTE in found.reset.before


@pytest.mark.parametrize("who", ["nobody", "77", ""])
def test_who_is_not_there(who: str) -> None:
    with pytest.raises(UserError, match=r"no domain and no agent .*; the agents are 0 \(dom0\), 1 \(xen\)"):
        held(platform(), who)


def test_a_domain_without_scmi() -> None:
    toolstack = platform()
    rows = [msgspec.structs.replace(row, agent_id=None) for row in toolstack.list()]
    with pytest.raises(UserError, match="domain 'ivi' has no agent: it does without SCMI"):
        holdings(toolstack.ask_firmware, rows, "ivi")


def test_el3s_refusal_is_the_toolstacks_error() -> None:
    with pytest.raises(ToolstackError, match="EL3: there is no agent 9"):
        platform().ask_firmware(el3.Ledger(9))


@pytest.mark.parametrize(("count", "text"), [(3, "one, two, three"), (5, "one, two, three and 2 more")])
def test_the_verdict_names_a_few(count: int, text: str) -> None:
    names = ("one", "two", "three", "four", "five")[:count]
    leaks = tuple(Entry("vote", "clock", name, "") for name in names)
    assert LastReset(1.0, leaks, leaks, leaks).verdict == f"LEAK: {text}"


# ---- the screen -------------------------------------------------------------------------------


def shown(found: Holdings, columns: int = 80) -> str:
    out = io.StringIO()
    show(Console(file=out, width=columns, highlight=False), found)
    return out.getvalue()


@pytest.mark.parametrize("columns", [80, 120])
def test_it_fits_the_terminal(columns: int) -> None:
    long = Entry("subscription", "powercap", "powercap_domain 4294967295", "POWERCAP_MEASUREMENTS_CHANGED")
    reset = LastReset(3.21, (VOTE, GRANT, long), (GRANT, long), (long,))
    text = shown(Holdings(3, "ivi", None, "scp-firmware", (GRANT, long), reset), columns)
    assert max(map(len, text.splitlines())) <= columns
    assert "agent 3 (ivi) no domain, scp-firmware" in text
    assert "3.2 s ago: 3 held before, 2 after, LEAK: powercap_domain" in " ".join(text.split())
    fates = [line.split()[-1] for line in text.splitlines() if line.startswith(("vote", "grant"))]
    assert fates == ["1", "freed", "stays"]


def test_an_agent_with_nothing() -> None:
    text = shown(Holdings(0, "dom0", "dom0", "spec-strict", (), None))
    assert "it holds nothing" in text
    assert "it was never reset" in text
    clean = shown(Holdings(0, "dom0", "dom0", "spec-strict", (), LastReset(0.5, (), (), ())))
    assert "last reset 0.5 s ago: 0 held before, 0 after, nothing left" in clean


def test_a_long_story_is_cut_and_says_so() -> None:
    many = tuple(Entry("vote", "clock", f"clock {one}", "rate") for one in range(GONE_SHOWN + 4))
    text = shown(Holdings(3, "ivi", None, "spec-strict", (), LastReset(1.0, many, (), ())))
    assert text.count("freed") == GONE_SHOWN
    assert "and 4 more; --json has them all" in text


def test_for_scripts() -> None:
    data = as_data(Holdings(3, "ivi", None, "spec-strict", (VOTE,), LastReset(1.0, (VOTE,), (), ())))
    assert data["now"] == [
        {"kind": "vote", "protocol": "clock", "resource": "clock 5", "what": "rate", "value": 66_666_666}
    ]
    assert data["reset"]["verdict"] == "nothing left"
    assert as_data(Holdings(3, "ivi", None, "spec-strict", (), None))["reset"] is None
