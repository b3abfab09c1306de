"""Hazards at run time and at boot: what the driver does, that it is said, and what a strict Xen does."""

import inspect
import re

import pytest

from bus import frames, shmem
from nodes.metrics import HAZARD
from nodes.xen import hazards
from nodes.xen.domain import State
from nodes.xen.errno import Errno
from nodes.xen.hazard_table import IN_A_TREE, KNOWN, NEVER_TOLD
from nodes.xen.mediator import HAZARDOUS
from tests.nodes.trees import FID, Value, container_of, described, host, page_node, tree
from tests.nodes.trees import shmem as page_at
from tests.nodes.xen import MA, Answer, Bench

HAZARDS = "trapline_xen_hazards_total"


def refused(x0: int) -> object:
    """The SMC fails; the page comes back as Xen left it, busy."""
    return lambda _smc, page: (x0, page)


def busy(_smc: frames.Smc, page: bytes) -> Answer:
    """EL3 answers, and forgets to set FREE."""
    answer = bytearray(shmem.reply(shmem.read_message(page)[0], bytes(4)))
    answer[4] = 0
    return 0, bytes(answer)


# ---- a wedged channel -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "first"),
    [(refused(2**64 - 1), 0), (refused(7), 0), (refused(2**64 - 3), -Errno.EINVAL), (busy, -Errno.EBUSY)],
    ids=["-1", "7", "-3", "busy"],
)
@pytest.mark.parametrize("strict", [False, True])
def test_a_wedged_channel(answer: object, first: int, strict: bool) -> None:
    bench = Bench(strict=strict)
    two, three = bench.create("two", 2), bench.create("three", 3)
    assert bench.rc(frames.DestroyDomain(two.domid), answer) == (-Errno.EBUSY if strict else first)  # type: ignore[arg-type]
    assert bench.counted(HAZARDS) == {("wedged-channel",): 1}
    rung = len(bench.seen)
    assert bench.rc(frames.DestroyDomain(three.domid)) == -Errno.EBUSY
    assert len(bench.seen) == rung
    assert bench.counted(HAZARDS) == {("wedged-channel",): 1}, "it is said when it happens"
    assert three.state is State.DYING
    if strict:
        assert (two.state, two.channel is None) == (State.DYING, False)
        assert bench.rc(frames.CreateDomain("heir", MA, 2)) == -Errno.EEXIST
        assert any("channel is wedged" in one.detail for one in bench.sent[b"xl"] if hasattr(one, "event"))


def test_a_refused_smc_that_frees_the_channel_wedges_nothing() -> None:
    bench = Bench(strict=True)
    domain = bench.create("two", 2)

    def answer(_smc: frames.Smc, page: bytes) -> Answer:
        return 2**64 - 1, page[:4] + b"\1" + page[5:]

    assert bench.rc(frames.DestroyDomain(domain.domid), answer) == 0
    assert bench.counted(HAZARDS) == {}


def test_what_is_refused_at_boot_wedges_nobody() -> None:
    bench = Bench(boot=False)
    bench.boot(refused(7))  # type: ignore[arg-type]
    assert bench.counted(HAZARDS) == {}
    assert any("(-EOPNOTSUPP)" in line.text for line in bench.lines)


# ---- the tree ---------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [False, True])
def test_a_shmem_that_leads_nowhere(strict: bool) -> None:
    root = described()
    container_of(root).children["scmi"].properties["shmem"] = [999]
    bench = Bench(tree(root), strict=strict)
    assert not bench.core.hypervisor.sci.initialized
    assert any("(-ENOENT)" in line.text for line in bench.lines if line.level == "error")
    assert any("driver hazard dangling-shmem" in line.text for line in bench.lines)
    assert bench.counted(HAZARDS) == {("dangling-shmem",): 1}


def warned(bench: Bench, rule: str) -> bool:
    return any(f"({rule})" in line.text for line in bench.lines if line.level == "warning")


@pytest.mark.parametrize("strict", [False, True])
def test_a_misaligned_page_of_xens(strict: bool) -> None:
    root = described()
    container_of(root).children[f"sram@{page_at(1):x}"] = page_node(11, page_at(1) + 0x800)
    bench = Bench(tree(root), strict=strict)
    assert bench.core.hypervisor.sci.initialized is not strict
    assert warned(bench, "xen-shmem-unaligned") is strict
    if strict:
        assert bench.seen == []
        assert any("refused for xen-shmem-unaligned (-EINVAL)" in line.text for line in bench.lines)


CASES: list[tuple[str, list[int]]] = [
    ("duplicate-smc-id", [FID[0], 10, 0, FID[0], 12, 2]),
    ("duplicate-shmem", [FID[0], 10, 0, FID[2], 10, 2]),
    ("smc-id-owner", [FID[0], 10, 0, 0x8300_0001, 12, 2]),
    ("agent-id-unreachable", [FID[0], 10, 0, FID[2], 12, 300]),
]


@pytest.mark.parametrize(("rule", "entries"), CASES)
@pytest.mark.parametrize("strict", [False, True])
def test_what_only_a_strict_xen_warns_of(rule: str, entries: list[int], strict: bool) -> None:
    root = described()
    value: Value = entries
    container_of(root).properties["scmi-secondary-agents"] = value
    bench = Bench(tree(root), strict=strict)
    assert bench.core.hypervisor.sci.initialized
    assert warned(bench, rule) is strict


@pytest.mark.parametrize("strict", [False, True])
def test_a_good_tree_says_nothing(strict: bool) -> None:
    bench = Bench(host(), strict=strict)
    assert bench.core.hypervisor.sci.initialized
    assert {line.level for line in bench.lines} == {"info"}


def test_every_hazard_is_in_the_table() -> None:
    """What is counted has a label and a row; what is found in a tree has a row."""
    told = [one.name for one in KNOWN if one.told not in (NEVER_TOLD, IN_A_TREE)]
    assert sorted(told) == sorted(HAZARD.values)
    assert len(HAZARD.values) == HAZARD.bound
    source = inspect.getsource(hazards)
    assert set(re.findall(r'Hazard\("([a-z-]+)"', source)) <= {one.name for one in KNOWN}
    assert set(HAZARDOUS.values()) <= set(HAZARD.values)
