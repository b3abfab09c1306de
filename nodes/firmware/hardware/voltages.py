"""The voltage rails: what each physically supplies, from what agents and the board's own parts want of it.

``ask_*`` take what the agents' votes come to (None: no vote, as at boot), ``demand`` what a part of the board
needs by itself: then the rail is on, and never below that level.
"""

from collections.abc import Callable, Sequence

from nodes.firmware.platform import VoltageDomain

OFF, ON = 0x0, 0x7


class _Rail:
    __slots__ = ("asked_config", "asked_level", "config", "demands", "level", "spec")

    def __init__(self, spec: VoltageDomain) -> None:
        self.spec = spec
        self.asked_config: int | None = None
        self.asked_level: int | None = None
        self.demands: dict[str, int] = {}
        self.config = ON if spec.config == "on" else OFF
        self.level = spec.level

    def settle(self) -> bool:
        """Make config and level what they should be; whether anything changed."""
        boot = ON if self.spec.config == "on" else OFF
        config = boot if self.asked_config is None else self.asked_config
        if self.demands and config == OFF:
            config = ON
        wanted = list(self.demands.values())
        if self.asked_level is not None:
            wanted.append(self.asked_level)
        before = (self.config, self.level)
        self.config, self.level = config, max(wanted, default=self.spec.level)
        return before != (self.config, self.level)


class Voltages:
    """``domains`` by id; ``on_change`` is called after each change of a level or configuration."""

    def __init__(self, domains: Sequence[VoltageDomain]) -> None:
        self.domains = {one.id: one for one in domains}
        self.on_change: list[Callable[[int], None]] = []
        self._rails = {one.id: _Rail(one) for one in domains}

    def config(self, domain_id: int) -> int:
        """The configuration in force: OFF, ON or an implementation-defined mode."""
        return self._rails[domain_id].config

    def level(self, domain_id: int) -> int:
        """The level that is set, in microvolts; supplied while the domain is on."""
        return self._rails[domain_id].level

    def output_uv(self, domain_id: int) -> int:
        """What the rail supplies now, in microvolts: 0 while it is off."""
        rail = self._rails[domain_id]
        return rail.level if rail.config != OFF else 0

    def ask_config(self, domain_id: int, config: int | None) -> None:
        """What the agents' votes on the configuration come to."""
        self._rails[domain_id].asked_config = config
        self._settle(domain_id)

    def ask_level(self, domain_id: int, level: int | None) -> None:
        """What the agents' votes on the level come to, in microvolts."""
        self._rails[domain_id].asked_level = level
        self._settle(domain_id)

    def demand(self, domain_id: int, who: str, level: int | None) -> None:
        """A part of the board needs the rail on, at ``level`` microvolts at least; None: not any more."""
        demands = self._rails[domain_id].demands
        if level is None:
            demands.pop(who, None)
        else:
            demands[who] = level
        self._settle(domain_id)

    def _settle(self, domain_id: int) -> None:
        if self._rails[domain_id].settle():
            for listener in self.on_change:
                listener(domain_id)
