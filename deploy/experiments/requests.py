"""Planned faults that cores carry out themselves: what EL3 and guests are asked through their consoles.

The same on both engines. When to ask, and what to do with a refusal, is the stage's business.
"""

from typing import Any, Final, cast

from deploy.experiments.plan import Planned
from deploy.toolstack import Toolstack
from nodes.firmware.misbehaving import ACTIONS, Behave, Misbehave
from nodes.guest import console
from nodes.limits import FOREIGN_DOORBELLS

EL3_KINDS: Final = tuple(f"el3.{action}" for action in ACTIONS)
SCRIBBLING: Final = ("guest.header_flip", "guest.rewrite_page")
GUEST_KINDS: Final = (
    "guest.spurious_doorbell",
    "guest.oversize",
    "guest.undersize",
    "guest.error_preset",
    "guest.foreign_flood",
    "guest.junk_frames",
    "guest.trap_storm",
    *SCRIBBLING,
)


def misbehave(toolstack: Toolstack, fault: Planned) -> None:
    """Have EL3 misbehave, towards the domains in ``where``. Raises ToolstackError."""
    known = {info.name: info.agent_id for info in toolstack.list()}
    agents = tuple(agent for name in fault.where if (agent := known.get(name)) is not None)
    if fault.where and not agents:
        return  # none of them is there, or none has an agent
    toolstack.ask_firmware(
        Misbehave(
            fault.number,
            fault.kind.removeprefix("el3."),
            agents,
            fault.messages,
            fault.likelihood,
            fault.count,
            fault.delay_ns,
            fault.seed,
        )
    )


def behave(toolstack: Toolstack, fault: Planned) -> int:
    """End it; how often it was applied. Raises ToolstackError."""
    return toolstack.ask_firmware(Behave(fault.number)).applied


def hostile(toolstack: Toolstack, fault: Planned, name: str, run: bool) -> None:
    """Have a guest be hostile, or stop it. Raises ToolstackError."""
    kind = cast("Any", fault.kind.removeprefix("guest."))
    foreign: tuple[int, ...] = ()
    if kind == "foreign_flood":
        own = next((info.smc_id for info in toolstack.list() if info.name == name), None)
        every = (agent.smc_id for agent in toolstack.topology.platform.agent)
        foreign = tuple(smc_id for smc_id in every if smc_id != own)[:FOREIGN_DOORBELLS]
    request = console.Hostile(
        kind, run, fault.rate, likelihood=fault.likelihood, seed=fault.seed, foreign=foreign
    )
    toolstack.ask(name, request)
