"""Which stories somebody wants to see."""

from collections.abc import Iterable, Iterator

import msgspec

from deploy.tracing.calls import Call, Story


class Whom:
    """Of whom and of which protocols the stories that came by told, for who asked for others."""

    def __init__(self) -> None:
        self._domains: set[str] = set()
        self._protocols: set[str] = set()

    def watch(self, stories: Iterable[Story]) -> Iterator[Story]:
        for story in stories:
            self._domains.add(story.domain)
            self._protocols.add(story.protocol)
            yield story

    def __str__(self) -> str:
        domains, protocols = (
            ", ".join(sorted(names - {""})) or "nothing" for names in (self._domains, self._protocols)
        )
        return f"the recording tells of {domains}; of the protocols {protocols}"


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
        return self.agent in (story.domain, str(story.agent))
