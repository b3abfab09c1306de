"""How long calls took, in bounded memory: a histogram of 128 buckets an octave.

It knows nothing of calls; values are whole nanoseconds.
"""

from collections.abc import Mapping
from typing import Final

FINE_BITS: Final = 7  # buckets in one octave: 128
BUCKETS_MAX: Final = 64 << FINE_BITS


class LatencyHistogram:
    """``total`` values; ``max_ns`` is exact, quantiles are right to 0.4 %."""

    __slots__ = ("_buckets", "max_ns", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}  # at most BUCKETS_MAX of them
        self.total = 0
        self.max_ns = 0

    def add(self, value_ns: int) -> None:
        """Count one value; negative ones count as 0."""
        value_ns = max(value_ns, 0)
        shift = max(value_ns.bit_length() - FINE_BITS - 1, 0)
        bucket = (shift << (FINE_BITS + 1)) + (value_ns >> shift)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.total += 1
        self.max_ns = max(self.max_ns, value_ns)

    @classmethod
    def of(cls, buckets: Mapping[int, int], max_ns: int) -> "LatencyHistogram":
        """One that has counted before: what ``buckets`` and ``max_ns`` told then."""
        made = cls()
        made._buckets = dict(buckets)
        made.total, made.max_ns = sum(buckets.values()), max_ns
        return made

    @property
    def buckets(self) -> dict[int, int]:
        """How many values by bucket, in order: with ``max_ns`` all that it knows."""
        return dict(sorted(self._buckets.items()))

    def merge(self, other: "LatencyHistogram") -> None:
        """Count what ``other`` counted too."""
        for bucket, number in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + number
        self.total += other.total
        self.max_ns = max(self.max_ns, other.max_ns)

    def quantile_us(self, part: float) -> float | None:
        """The value, in microseconds, that ``part`` (0 to 1) of all do not exceed; None without values."""
        if not self.total:
            return None
        wanted = max(1, -int(-part * self.total // 1))
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(_middle(bucket), self.max_ns) / 1e3
        return self.max_ns / 1e3


def _middle(bucket: int) -> int:
    shift, mantissa = bucket >> (FINE_BITS + 1), bucket & ((1 << (FINE_BITS + 1)) - 1)
    return (mantissa << shift) + (1 << shift >> 1)
