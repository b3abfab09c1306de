"""A scenario and a seed to a concrete plan: who, what, when, to the nanosecond. Pure: equal seeds, equal
plans.
"""

import msgspec


class Planned(msgspec.Struct, frozen=True):
    """One fault as it will happen. Times count from the beginning of the run; ``end_ns`` equals
    ``begin_ns`` for what has no duration (kill -9). ``where``: node names ("xen", "firmware", "dom0", a
    domain); ``to``: a link's other end. ``seed``: for its own draws. The rest as in the scenario, drawn.
    """

    number: int
    kind: str
    where: tuple[str, ...]
    begin_ns: int
    end_ns: int
    to: str = ""
    likelihood: float = 1.0
    count: int = 0
    messages: tuple[str, ...] = ()
    delay_ns: int = 0
    jitter_ns: int = 0
    rate: float = 0.0
    step: int = 0
    seed: int = 0
