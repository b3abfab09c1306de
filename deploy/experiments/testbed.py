"""A platform for one test: booted, asked, broken, gone. On virtual time or on real processes.

The same calls on both engines; ``deploy.pytest_plugin`` hands one to each test that wants it. What a test
asks wrongly is a UserError.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from bus.fields import Message, decode
from bus.frames import DomainInfo, Lifecycle
from bus.scmi.status import name as status_name
from bus.smccc import ExceptionClass
from deploy import plugins
from deploy.errors import UserError
from deploy.experiments.describing.faults import BY_NAME
from deploy.experiments.describing.plan import US_NS, Planned
from deploy.experiments.describing.scenario import Timing
from deploy.experiments.stages.local import LocalStage
from deploy.experiments.stages.simulated import SimulatedStage
from deploy.experiments.stages.stage import Stage
from deploy.holdings import Holdings, holdings
from deploy.message import encode_request, parse_name
from deploy.toolstack import ToolstackError, Work
from deploy.topology import Topology
from nodes.guest import console

EVENTS_MAX: Final = 10_000
STEP_NS: Final = 1_000_000  # how often a condition is looked at
WAIT_S: Final = 10.0
INSTRUCTIONS: Final = {"smc": ExceptionClass.SMC64, "hvc": ExceptionClass.HVC64}
Engine = Literal["sim", "local"]


class Reply(msgspec.Struct, frozen=True):
    """How a call ended. ``status``: SCMI's word, or the code of an error. ``definite``: of an error,
    whether it surely did not happen. ``value``: the decoded reply of a call that succeeded.
    """

    status: str
    definite: bool | None
    detail: str
    elapsed_us: float
    value: Message | None = None

    @property
    def ok(self) -> bool:
        return self.status == "SUCCESS"


class Heard(msgspec.Struct, frozen=True):
    """A life-cycle event of a domain: created, running, dying, reset, dead..."""

    domain: str
    event: str
    detail: str


class Testbed:
    """``start`` boots ``topology`` on an engine, ``stop`` leaves nothing behind; a context manager does both.

    ``work``: whether domains do a driver's ordinary work on their own. ``events``: what was heard, in order.
    """

    __test__ = False  # for pytest, which takes the name for a test's

    def __init__(
        self,
        topology: Topology,
        *,
        engine: Engine = "sim",
        seed: int = 1,
        pages: Literal["carried", "mapped"] = "carried",
        work: bool = False,
        think_us: float = 500.0,
        run_directory: Path | None = None,
    ) -> None:
        done = Work(work, int(think_us * US_NS))
        self.topology = topology
        self.events: list[Heard] = []
        self.stage: Stage
        if engine == "sim":
            self.stage = SimulatedStage(topology, seed=seed, timing=Timing(), work=done, pages=pages)
        elif engine == "local":
            self.stage = LocalStage(topology, work=done, pages=pages, record="none", run=run_directory)
        else:
            raise UserError(f"there is no engine {engine!r} for tests; there are sim and local")
        self.stage.on_lifecycle = self._hear
        self._faults = 0

    def __enter__(self) -> "Testbed":
        self.stage.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stage.stop()

    def _hear(self, frame: Lifecycle) -> None:
        if len(self.events) < EVENTS_MAX:
            self.events.append(Heard(frame.name, frame.event, frame.detail))

    # ---- asking -------------------------------------------------------------------------------

    @property
    def domains(self) -> dict[str, DomainInfo]:
        """The domains there are, by name."""
        return {info.name: info for info in self.stage.toolstack.list()}

    def call(self, domain: str, message: str, **fields: object) -> Reply:
        """One SCMI message on the domain's own channel: ``call("ivi", "clock.CLOCK_RATE_GET",
        clock_id=3)``.
        """
        protocol_id, message_id, command, protocol = parse_name(message, plugins.load().tables)
        if command is None or protocol is None:
            raise UserError(f"{message}: not in the message tables; name one that is")
        words = [f"{name}={value}" for name, value in fields.items()]
        payload = encode_request(command, words, protocol.version)
        answer = self._ask(domain, console.Call(protocol_id, message_id, payload))
        value = None
        if not answer.code and not answer.status:
            value = decode(command.reply_at(protocol.version), answer.payload, protocol.version)
        status = answer.code or status_name(answer.status)
        definite = answer.definite if answer.code else None
        return Reply(status, definite, answer.detail, answer.elapsed_ns / 1000, value)

    def trap(
        self, domain: str, *x: int, instruction: Literal["smc", "hvc"] = "smc", immediate: int = 0
    ) -> tuple[int, ...]:
        """Execute SMC or HVC with these registers; gives x0..x3 after it, nothing for an undefined
        instruction.
        """
        registers = (*x, *(0 for _ in range(8 - len(x))))
        ec = INSTRUCTIONS[instruction].value
        return self._ask(domain, console.RawTrap(ec, immediate, registers)).x  # type: ignore[arg-type]

    def _ask(self, domain: str, request: console.Request) -> console.Answer:
        try:
            return self.stage.toolstack.ask(domain, request)
        except ToolstackError as error:
            if domain in self.domains:
                raise
            raise UserError(str(error)) from None

    def ledger(self, who: str) -> Holdings:
        """All that an agent holds, and what its last reset left."""
        toolstack = self.stage.toolstack
        return holdings(toolstack.ask_firmware, toolstack.list(), who)

    # ---- doing --------------------------------------------------------------------------------

    def destroy(self, domain: str) -> None:
        """xl destroy."""
        self.stage.toolstack.destroy(domain)

    def create(self, domain: str) -> DomainInfo:
        """xl create, from the configuration that it had."""
        return self.stage.toolstack.create(self.stage.toolstack.guests[domain])

    def reboot(self, domain: str) -> DomainInfo:
        """xl reboot."""
        return self.stage.toolstack.reboot(domain)

    def fault(self, kind: str, where: str, seconds: float = 0.0, **parameters: Any) -> None:
        """Break something, as a scenario's [[fault]] does: ``fault("process.kill", "ivi")``.

        What has a duration lasts ``seconds`` from now, while ``run`` or ``wait`` let time pass.
        """
        if kind not in BY_NAME:
            raise UserError(f"{kind}: no such fault; there are {', '.join(BY_NAME)}")
        self._faults += 1
        now_ns = self.stage.now_ns()
        end_ns = now_ns + int(seconds * 1e9)
        planned = Planned(self._faults, kind, (where,), now_ns, end_ns, **parameters)
        self.stage.begin(planned)
        if not BY_NAME[kind].instant:
            self.stage.at(end_ns, lambda: self.stage.end(planned))

    def kill(self, domain: str) -> None:
        """kill -9: the domain crashed; it is destroyed, its agent reset, and it comes back."""
        self.fault("process.kill", domain)

    def run(self, seconds: float) -> None:
        """Let time pass, virtual or real."""
        self.stage.advance(self.stage.now_ns() + int(seconds * 1e9))

    def wait(self, condition: Callable[[], bool], seconds: float = WAIT_S) -> None:
        """Let time pass until ``condition``; raises TimeoutError when it does not come true."""
        end_ns = self.stage.now_ns() + int(seconds * 1e9)
        while not condition():
            if self.stage.now_ns() >= end_ns or self.stage.failure:
                raise TimeoutError(self.stage.failure or f"not so after {seconds:g} s")
            self.stage.advance(self.stage.now_ns() + STEP_NS)

    def wait_for(self, domain: str, event: str, seconds: float = WAIT_S) -> Heard:
        """The next such life-cycle event that was not waited for before."""
        self.wait(lambda: any((one.domain, one.event) == (domain, event) for one in self.events), seconds)
        at = next(at for at, one in enumerate(self.events) if (one.domain, one.event) == (domain, event))
        found = self.events[at]
        del self.events[: at + 1]
        return found

    def counters(self, name: str) -> Mapping[str, Mapping[tuple[str, ...], int]]:
        """A counter of the catalogue (grafana/METRICS.md) by node, ended nodes included."""
        stats = self.stage.stats()
        return {node: one["counters"][name] for node, one in stats.items() if name in one.get("counters", {})}
