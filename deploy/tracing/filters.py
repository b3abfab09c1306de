"""Which stories somebody wants to see."""

import msgspec

from deploy.tracing.calls import Call, Story


class Filter(msgspec.Struct, frozen=True):
    """``agent``: an agent's number or a domain's name, "" for all. ``slow_ns``: calls that took longer, or
    are under way. What is no call is shown unless the filter asks for something that only a call can be.
    """

    agent: str = ""
    protocol: str = ""
    denied: bool = False
    failed: bool = False
    slow_ns: int | None = None

    @property
    def anything(self) -> bool:
        """Whether it lets everything pass."""
        return self == Filter()

    def wants(self, story: Story) -> bool:
        """Whether it passes every part of the filter."""
        if self.agent and not self._is(story):
            return False
        if self.protocol and story.protocol != self.protocol:
            return False
        if not isinstance(story, Call):
            return not (self.denied or self.failed or self.slow_ns is not None)
        if self.denied and not story.denied:
            return False
        if self.failed and not story.failed:
            return False
        if self.slow_ns is None:
            return True
        return not story.over if story.took_ns is None else story.took_ns > self.slow_ns

    def _is(self, story: Story) -> bool:
        if self.agent.isdecimal():
            return story.agent == int(self.agent)
        return story.domain == self.agent
