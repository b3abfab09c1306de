"""``trapline sim``: the demonstration in one process, on virtual time, from a seed."""

import time
from typing import Any

import click
from rich.markup import escape

from deploy.cli.options import firmware_option, json_option, xen_options
from deploy.cli.output import console, count, say_error, say_json, table
from deploy.engines.simulated import SimulatedEngine
from deploy.errors import UserError
from deploy.scenario import THINK_NS, attempts, try_all
from deploy.toolstack import Toolstack, ToolstackError, Work
from deploy.topology import Topology, XenOptions, load_shipped, with_firmware
from nodes.xen.profile import PROFILES


@click.command()
@click.option("--seed", default=1, show_default=True, help="Equal seeds give equal runs, byte for byte.")
@click.option("--seconds", default=10.0, show_default=True, help="Virtual time for the guests' work.")
@click.option("--verbose", is_flag=True, help="Print what the nodes log.")
@xen_options
@firmware_option
@json_option
def sim(
    seed: int,
    seconds: float,
    verbose: bool,
    profile: str,
    strict: bool,
    xen_cmdline: str,
    firmware: str | None,
    as_json: bool,
) -> None:
    """Play the story in one process, on virtual time.

    The same cores as in the real platform, over the simulated link. The fingerprint covers every
    message: when, from whom, to whom, all bytes.
    """
    if not 0 < seconds <= 86_400:
        raise UserError(f"--seconds {seconds:g}: more than 0, at most 86400")
    xen = XenOptions(PROFILES[profile], strict, xen_cmdline)
    topology = with_firmware(load_shipped(xen=xen), firmware)
    found = play(seed, int(seconds * 1e9), verbose, topology)
    if as_json:
        say_json(found)
        return
    rows = [
        [key, count(value) if isinstance(value, int) and key != "seed" else str(value)]
        for key, value in found.items()
        if key != "refused"
    ]
    console().print(table(None, ["", ""], rows, numbers=(1,)))
    for line in found["refused"]:
        console().print(escape(line))


def play(
    seed: int, duration_ns: int, verbose: bool = False, topology: Topology | None = None
) -> dict[str, Any]:
    """Boot, work, destroy and create a guest halfway, try what is forbidden; the run as plain data."""
    began = time.perf_counter()
    topology = topology or load_shipped()

    engines: list[SimulatedEngine] = []  # none yet while the first one boots: that is time 0

    def log(node: str, level: str, text: str) -> None:
        if verbose:
            now_ns = engines[0].now_ns if engines else 0
            click.echo(f"{now_ns / 1e9:.6f} {node} {level}: {text}", err=True)
        elif level == "error":
            say_error(f"{node}: {text}")

    engine = SimulatedEngine(topology, seed, log)
    engines.append(engine)
    toolstack = Toolstack(engine, topology, Work(True, THINK_NS))
    toolstack.start()
    engine.run(duration_ns // 2)
    toolstack.destroy(topology.guests[0].name)
    engine.run(duration_ns // 10)
    toolstack.create(topology.guests[0])
    engine.run(duration_ns - duration_ns // 2 - duration_ns // 10)
    verdicts = try_all(attempts(topology, toolstack.list()), toolstack.ask)
    wrong = [one for one in verdicts if not one.refused]
    if wrong:
        raise ToolstackError(f"{wrong[0].attempt.title}: {wrong[0].answer}, not {wrong[0].attempt.expected}")
    calls = engine.firmware.meters.counter("trapline_scmi_calls_total")
    resets = engine.xen.meters.counter("trapline_agent_resets_total")
    wall_s = time.perf_counter() - began
    total = sum(calls.values())
    return {
        "seed": seed,
        "fingerprint": engine.fingerprint(),
        "calls": total,
        "messages": engine.messages,
        "resets": sum(resets.values()),
        "virtual_s": engine.now_ns / 1e9,
        "wall_s": round(wall_s, 3),
        "calls_per_wall_s": round(total / wall_s),
        "refused": [f"{one.attempt.domain} {one.attempt.title}: {one.answer}" for one in verdicts],
    }
