"""What is put through the cases. Each takes Inputs and returns one word, or raises UserError; nothing else.

Another subject is another line in SUBJECTS.
"""

from collections.abc import Callable

from deploy import lint
from deploy.engines.simulated import SimulatedEngine
from deploy.toolstack import Toolstack, ToolstackError, Work
from deploy.topology import Topology, load
from nodes.guest import console
from nodes.xen import binding, hazards
from nodes.xen.errno import XenError
from tests.mutation.cases import Inputs


def start(inputs: Inputs) -> str:
    """What ``trapline up`` does: read, judge by Xen's rules, boot (on virtual time), let every domain ask."""
    topology = load(inputs.host, inputs.platform, inputs.xl, inputs.dom0less)
    _rules(topology)
    return _boot(topology)


def _rules(topology: Topology) -> None:
    """The linter's view of the tree: all breaches, all hazards, each of which can be told."""
    tree = topology.host
    found: list[object] = []
    own = None
    for node in binding.candidates(tree):
        problems = list(binding.management_problems(tree, node))
        found += problems
        if not problems and own is None:
            own = binding.management(tree, node)
    entries = list(binding.entries(tree))
    secondaries = [entry for entry in entries if isinstance(entry, binding.Secondary)]
    found += [entry for entry in entries if isinstance(entry, XenError)]
    found += hazards.hazards(tree, own, secondaries)
    assert all(str(one) for one in found)


def _boot(topology: Topology) -> str:
    """It boots, or ends with a reason; if Dom0 should have an agent and has none, the log says so."""
    said: list[tuple[str, str]] = []
    try:
        engine = SimulatedEngine(topology, 1, lambda _node, level, text: said.append((level, text)))
        toolstack = Toolstack(engine, topology, Work())
        toolstack.start()
        rows = toolstack.list()
        for row in rows:
            toolstack.ask(row.name, console.Call(0x10, 0, b""))
    except ToolstackError as error:
        if not str(error):
            raise
        return "refused by Xen"
    # Without a candidate Xen is silent: to it that is a board without SCMI.
    candidate = any(True for _ in binding.candidates(topology.host))
    wanted = candidate and binding.dom0_agent(topology.host)[0] is not None
    got = any(row.agent_id is not None for row in rows if row.name == "dom0")
    loud = any(level in ("warning", "error") for level, _ in said)
    assert got or not wanted or loud, f"Dom0's SCMI is off and nothing said why: {said}"
    return "boots"


def check(inputs: Inputs) -> str:
    """The linter: every finding has a file and can be told. "refused" when one of them is an error."""
    found = lint.check(lint.Inputs(inputs.host, inputs.xl, inputs.dom0less, inputs.platform))
    for one in found:
        assert one.spot.file, one
        assert one.message.isprintable(), one
        assert one.fix.isprintable(), one
    if any(one.severity == "error" for one in found):
        return "refused"
    return "warned" if found else "clean"


SUBJECTS: dict[str, Callable[[Inputs], str]] = {
    "start": start,
    "check": check,
}
