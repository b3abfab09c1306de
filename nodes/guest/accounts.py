"""The guest's own account of its calls: counts, latencies, the story of failures, notes for the record.

A latency counts from when a call was meant to begin, so that what keeps a guest waiting shows.
"""

from nodes.contract import Effect, Note
from nodes.guest.calls import Flight, Outcome
from nodes.guest.sources import Source
from nodes.meters import Histogram, Meters
from nodes.story import Story


class Accounts:
    """``ended`` and ``not_tried`` give the notes to be sent out; none unless ``record`` is set."""

    def __init__(self, names: tuple[str, str], record: bool, meters: Meters, story: Story) -> None:
        """``names``: of the domain and of its agent."""
        self._name, self._agent = names
        self._record = record
        self._story = story
        self._calls = meters.counter("trapline_guest_calls_total")
        self._dropped = meters.counter("trapline_guest_arrivals_dropped_total")
        self._latency = meters.histogram("trapline_scmi_call_duration_seconds")
        self._by_key: dict[str, Histogram] = {}  # of ``_latency``, found with less work
        self._answered = (self._name, "answered")
        for outcome in ("answered", "definite_error", "indefinite_error"):
            self._calls.expect((self._name, outcome))

    def ended(self, flight: Flight, outcome: Outcome, now_ns: int) -> tuple[Effect, ...]:
        """A call is over: exactly once for each."""
        if outcome.code:
            ending = "definite_error" if outcome.definite else "indefinite_error"
            self._calls[self._name, ending] += 1
            self._story.add(now_ns, outcome.code, flight.request, flight.head)
        else:
            self._calls[self._answered] += 1
            if flight.ask is not None:
                key = flight.ask.key
                latency = self._by_key.get(key)
                if latency is None:
                    latency = self._by_key[key] = self._latency[self._agent, key]
                latency.observe(now_ns - flight.intended_ns)
        if not self._record:
            return ()
        numbers = (flight.head, flight.intended_ns, flight.started_ns, int(outcome.definite), outcome.status)
        return (Note("call", flight.request, numbers, outcome.code),)

    def not_tried(self, source: Source) -> tuple[Effect, ...]:
        """Arrivals that never became calls."""
        dropped = list(source.dropped)
        source.dropped.clear()
        for _, why in dropped:
            self._dropped[self._name, why] += 1
        if not self._record:
            return ()
        return tuple(Note("arrival_dropped", 0, (intended_ns,), why) for intended_ns, why in dropped)
