"""The scenarios: what should happen, step by step, and what is wrong where it does not.

A step that differs makes the scenario *degraded* (every domain keeps its SCMI, but something of the story
did not happen) or *broken* (a domain has no SCMI where it should have, or cannot be ended). Both words are
explained to people by ``VERDICTS``; why a step differs is ``reasons``' business.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Literal

import msgspec

from deploy.interop import reasons
from deploy.interop.stage import DOM0, FIRST, RATE_AT_BOOT, SECOND, Stage
from deploy.toolstack import ToolstackError
from nodes.firmware.ledger import Entry
from nodes.firmware.profile import FirmwareProfile
from nodes.xen.profile import Profile

Verdict = Literal["works", "degraded", "broken"]
VERDICTS: Final[Mapping[Verdict, str]] = {
    "works": "every step went as the design says",
    "degraded": "every domain has its SCMI, but a step differs: something is left over, not reset, not told",
    "broken": "a domain is without the SCMI it should have, or it cannot be ended",
}


class Finding(msgspec.Struct, frozen=True):
    """A step that went otherwise. ``weight`` is what it makes of the scenario."""

    step: str
    expected: str
    got: str
    weight: Verdict
    reason: str


class Outcome(msgspec.Struct, frozen=True):
    """What became of one scenario; ``findings`` in the order of the steps."""

    firmware: str
    xen: str
    scenario: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        weights = {finding.weight for finding in self.findings}
        if "broken" in weights:
            return "broken"
        return "degraded" if weights else "works"

    @property
    def first(self) -> Finding | None:
        """The first step that differs."""
        return self.findings[0] if self.findings else None

    @property
    def told(self) -> tuple[Finding, ...]:
        """The first step that differs and, where that alone would only degrade, the first that breaks."""
        breaks = next((finding for finding in self.findings if finding.weight == "broken"), None)
        return tuple(dict.fromkeys(one for one in (self.first, breaks) if one is not None))


class Over(Exception):  # noqa: N818 - the scenario's end, not an error
    """Nothing that could follow makes sense."""


class Story:
    """Collects what differs. ``step`` takes what was got, "" if it was as expected."""

    def __init__(self, firmware: FirmwareProfile, xen: Profile) -> None:
        self.firmware = firmware
        self.xen = xen
        self.findings: list[Finding] = []

    def broken(self, step: str, expected: str, got: str, *, over: bool = False) -> None:
        """A step without which a domain has no SCMI; ``over``: or without which nothing can follow."""
        self._differs(step, expected, got, "broken")
        if got and over:
            raise Over

    def degraded(self, step: str, expected: str, got: str) -> None:
        self._differs(step, expected, got, "degraded")

    def _differs(self, step: str, expected: str, got: str, weight: Verdict) -> None:
        if got:
            reason = reasons.why(step, self.firmware, self.xen)
            self.findings.append(Finding(step, expected, got, weight, reason))

    def stage(self, *, devices: bool = True) -> Stage:
        """A booted platform; the scenario is over where Xen has no mediator."""
        try:
            stage = Stage(self.xen, self.firmware, devices=devices)
        except ToolstackError as error:
            self.broken("discover", "Xen boots and finds its platform", str(error), over=True)
            raise AssertionError from error  # unreachable: the step above ends the scenario
        found = "" if stage.mediated else _short(stage.errors[-1] if stage.errors else "no mediator")
        self.broken("discover", "Xen's driver finds its platform", found, over=True)
        return stage

    def first_guest(self, *, devices: bool = True) -> Stage:
        """A platform with its first guest, which uses its device."""
        stage = self.stage(devices=devices)
        self.broken("create", "the guest is created, its device granted", stage.create(FIRST), over=True)
        self.broken("call", "the guest's call is answered", stage.alive(FIRST), over=True)
        self.broken("use", "the guest sets up its device's clock and power", stage.use(FIRST), over=True)
        return stage

    def successor(self, stage: Stage) -> None:
        """The channel goes to another domain."""
        self.broken("claim", "a successor gets the agent and the channel", stage.create(SECOND), over=True)
        self.broken("successor", "the successor's call is answered", stage.alive(SECOND), over=True)


def boot(story: Story) -> None:
    """Xen's probe, Dom0's first call, a guest with a device."""
    stage = story.stage()
    if stage.many:
        story.broken("dom0", "Dom0's call is answered", stage.alive(DOM0))
    story.broken("create", "the guest is created, its device granted", stage.create(FIRST), over=True)
    story.broken("call", "the guest's call is answered", stage.alive(FIRST), over=True)
    story.broken("use", "the guest sets up its device's clock and power", stage.use(FIRST))


def hand_over(story: Story) -> None:
    """A domain dies, another one gets its agent and channel."""
    stage = story.first_guest()
    story.broken("destroy", "the domain is destroyed", stage.destroy(FIRST), over=True)
    story.degraded("clean", "the agent holds what it held at boot", _named(stage.left_over()))
    story.successor(stage)
    rate = stage.rate(SECOND)
    seen = "" if rate in (0, RATE_AT_BOOT) else f"it sees {rate} Hz, set by its predecessor"
    story.degraded("fresh", "the successor finds the clock as at boot", seen)
    story.broken("use", "the successor sets up its device's clock and power", stage.use(SECOND))


def wedge(story: Story) -> None:
    """One bad doorbell of each kind, and whether the channel lives: for the domain, for its successor."""
    stage = story.first_guest()
    stage.spurious(FIRST)
    story.broken("spurious", "the channel lives after a doorbell without a message", stage.alive(FIRST))
    stage.oversize(FIRST)
    story.broken("oversize", "the channel lives after a message that is too long", stage.alive(FIRST))
    if stage.many:
        story.broken("neighbour", "Dom0's channel lives", stage.alive(DOM0))
    story.broken("destroy", "the domain is destroyed", stage.destroy(FIRST), over=True)
    story.successor(stage)


def teardown(story: Story) -> None:
    """A domain is destroyed with votes held: does the reset come, is it whole, does it end?"""
    stage = story.first_guest()
    story.broken("destroy", "the domain is destroyed", stage.destroy(FIRST))
    ending = stage.ending()
    story.degraded("reset", "EL3 resets the agent", "" if ending.endswith("reset and free") else ending)
    story.degraded("votes", "no vote is left", _named(stage.left_over("vote", "hold", "subscription")))
    story.degraded("permissions", "permissions are as at boot", _named(stage.left_over("grant")))
    story.broken("again", "the agent can be given again", stage.create(SECOND))


def bare(story: Story) -> None:
    """A domain is destroyed on a platform whose EL3 has no table of devices."""
    stage = story.stage(devices=False)
    story.broken("create", "the guest is created, no device to grant", stage.create(FIRST), over=True)
    story.broken("call", "the guest's call is answered", stage.alive(FIRST), over=True)
    story.broken("destroy", "the domain is destroyed", stage.destroy(FIRST), over=True)
    story.broken("again", "the agent can be given again", stage.create(SECOND))


SCENARIOS: Final[Mapping[str, Callable[[Story], None]]] = {
    "boot": boot,
    "hand-over": hand_over,
    "wedge": wedge,
    "teardown": teardown,
    "bare": bare,
}


def play(scenario: str, firmware: FirmwareProfile, xen: Profile) -> Outcome:
    """One scenario, on a platform of its own."""
    story = Story(firmware, xen)
    with suppress(Over):
        SCENARIOS[scenario](story)
    return Outcome(firmware.name, xen.name, scenario, tuple(story.findings))


def _named(entries: list[Entry]) -> str:
    """What is left, in few words."""
    return ", ".join(
        f"{one.kind} {one.thing}" + ("" if one.kind == "grant" else f" = {one.value}")
        for one in sorted(entries)
    )


def _short(text: str) -> str:
    """What Xen's driver says of its failed probe, without the place that everybody knows."""
    return text.rpartition("not initialised: ")[2]
