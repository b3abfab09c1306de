"""EL3's system power: who may take the whole board down, and what is left of it afterwards.

A shutdown, a cold and a warm reset all end with the board as at boot: every agent's wishes, subscriptions,
pending work and permissions are gone. Nothing here can stop the domains, which go on talking to EL3; so a
board that was shut down counts as switched on again at once. The caller is answered before that happens.
Suspend keeps everything and only changes the state, until somebody asks for power-up.
"""

from collections.abc import Mapping

from bus.scmi import system
from bus.scmi.status import Status
from bus.scmi.system import SYSTEM_POWER_STATE_NOTIFIER, SYSTEM_STATE, StateNotifier
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import SystemPower
from nodes.firmware.schedule import Timer
from nodes.firmware.service import Answer, Handler, Served
from nodes.firmware.subscriptions import Subscriptions

EVERYWHERE = 0
RUNNING, SUSPENDED = SYSTEM_STATE["POWER_UP"], SYSTEM_STATE["SUSPEND"]
WARM_RESET, VENDOR = SYSTEM_STATE["WARM_RESET"], SYSTEM_STATE["VENDOR_FIRST"]
NAMES = {number: name for name, number in SYSTEM_STATE.items()}


class Transition:
    """What was accepted and has not happened yet."""

    __slots__ = ("agent", "head", "state", "timer")

    def __init__(self, agent: int, state: int, head: int, timer: Timer) -> None:
        self.agent = agent
        self.state = state
        self.head = head
        self.timer = timer


class SystemService(Served):
    """``state`` is the system's; a graceful request waits for the subscribers, a forceful one does not.

    Without subscribers there is nobody to wait for. While a graceful transition waits, a forceful request
    overtakes it and another graceful one is DENIED. A reset of the agent that asked takes it back.
    """

    table = system.PROTOCOL
    resources: Mapping[str, dict[int, object]] = {}

    def __init__(self, machine: Machine, settings: SystemPower) -> None:
        self._machine = machine
        self._settings = settings
        agents = settings.agents
        if agents is None:
            agents = tuple(agent.id for agent in machine.platform.agent if agent.trusted)
        self._may = frozenset(agents)
        self.state = RUNNING
        self._waiting: Transition | None = None
        self._notifier = Subscriptions(machine, self.table, SYSTEM_POWER_STATE_NOTIFIER, "")
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": lambda _agent, _request: system.ProtocolAttributesReply(0),
            "SYSTEM_POWER_STATE_SET": self.state_set,
            "SYSTEM_POWER_STATE_GET": self.state_get,
            "SYSTEM_POWER_STATE_NOTIFY": self.state_notify,
        }

    def message_attributes(self, command: str) -> int | Status:
        if command == "SYSTEM_POWER_STATE_SET":
            settings = self._settings
            return system.SET_MESSAGE_ATTRIBUTES.pack(
                warm_reset=settings.warm_reset, suspend=settings.suspend
            )
        if command == "SYSTEM_POWER_STATE_NOTIFY" and not self._notifies(self._machine.cause):
            return Status.NOT_SUPPORTED
        return 0

    def _notifies(self, agent: int) -> bool:
        return self._settings.notify and self._machine.outbox.reaches(agent)

    def state_set(self, agent: int, request: system.StateSet) -> Answer:
        state = request.system_state
        if SUSPENDED < state < VENDOR:
            return Status.INVALID_PARAMETERS
        if agent not in self._may:
            return self._machine.profile.system_power_refusal
        if not self._offered(state):
            return Status.NOT_SUPPORTED
        graceful = bool(system.SET_FLAGS.get(request.flags, "graceful"))
        if not self._possible_now(state, graceful):
            return Status.DENIED
        self._begin(agent, state, graceful)
        return Status.SUCCESS

    def _offered(self, state: int) -> bool:
        missing = {WARM_RESET: not self._settings.warm_reset, SUSPENDED: not self._settings.suspend}
        return state < VENDOR and not missing.get(state, False)

    def _possible_now(self, state: int, graceful: bool) -> bool:
        if graceful and self._waiting is not None:
            return False
        return (state == RUNNING) == (self.state == SUSPENDED) or state < RUNNING

    def _begin(self, agent: int, state: int, graceful: bool) -> None:
        if self._waiting is not None:
            self._waiting.timer.cancel()
        machine = self._machine
        patience_ms = self._settings.graceful_ms if graceful and self._notifier.of(EVERYWHERE) else 0
        flags = system.NOTIFIER_FLAGS.pack(graceful=graceful)
        self._notifier.tell(EVERYWHERE, StateNotifier(agent, flags, state, patience_ms))
        timer = machine.schedule.at(machine.now_ns + patience_ms * 1_000_000, self._happen)
        self._waiting = Transition(agent, state, machine.head, timer)

    def _happen(self) -> None:
        done, self._waiting = self._waiting, None
        if done is None:
            return
        machine = self._machine
        machine.outbox.log(f"system power: {NAMES[done.state]} by agent {done.agent}")
        self.state = SUSPENDED if done.state == SUSPENDED else RUNNING
        if done.state < RUNNING:
            with machine.caused_by(done.agent):
                machine.restart()

    def state_get(self, agent: int, _request: object) -> Answer:
        return system.StateGetReply(self.state) if agent in self._may else Status.NOT_SUPPORTED

    def state_notify(self, agent: int, request: system.StateNotify) -> Answer:
        if not self._settings.notify:
            return Status.NOT_SUPPORTED
        return self._notifier.set(agent, EVERYWHERE, request.notify_enable)

    def reset(self, agent_id: int) -> None:
        if self._waiting is not None and self._waiting.agent == agent_id:
            self._waiting.timer.cancel()
            self._waiting = None

    def ledger(self, agent_id: int) -> list[Entry]:
        held = self._notifier.ledger(agent_id)
        waiting = self._waiting
        if waiting is not None and waiting.agent == agent_id:
            held.append(Entry("pending", "system", "", "SYSTEM_POWER_STATE_SET", waiting.head))
        return held
