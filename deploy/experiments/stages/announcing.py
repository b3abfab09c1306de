"""What an experiment on real processes tells of itself in metrics: its phase, and the faults it injects.

Which experiment it is, the label of its scrape targets says. It decides nothing.
"""

from collections.abc import Iterable
from typing import Final

from deploy.experiments.describing.faults import BY_NAME
from deploy.experiments.describing.plan import Planned
from nodes.meters import Meters
from nodes.metric_labels import PHASE

RUNNING: Final = "trapline_experiment_running"
INJECTED: Final = "trapline_faults_injected_total"
TARGETS: Final = {"link": "link", "el3": "firmware", "xen": "xen", "toolstack": "toolstack", "guest": "guest"}
ROLES: Final = {"xen": "xen", "firmware": "firmware"}


class Announcing:
    """Counts into the supervisor's meters."""

    def __init__(self, meters: Meters) -> None:
        self._running = meters.counter(RUNNING)
        self._injected = meters.counter(INJECTED)

    def expect(self, faults: Iterable[Planned]) -> None:
        """What will happen begins at 0, so that a rate sees the first."""
        for phase in PHASE.values:
            self._running.expect((phase,))
        for fault in faults:
            for target in targets(fault):
                self._injected.expect((fault.kind, target))

    def phase(self, name: str) -> None:
        """The experiment is in this phase now, and in no other."""
        for key in list(self._running):
            self._running.put(key, 0)
        self._running.put((name,), 1)

    def fault(self, fault: Planned) -> None:
        """It begins now: one for each role that it hits."""
        for target in targets(fault):
            self._injected[(fault.kind, target)] += 1


def targets(fault: Planned) -> list[str]:
    """The roles that a fault hits, as the catalogue names them."""
    target = TARGETS.get(BY_NAME[fault.kind].layer)
    if target is not None:
        return [target]
    return sorted({ROLES.get(name, "guest") for name in fault.where})
