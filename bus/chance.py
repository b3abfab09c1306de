"""Chance without state: equal seeds and equal numbers give equal draws, in any interpreter, in any order.

Cores draw no randomness of their own; a seed reaches them as data, and ``unit`` makes of it what a dice
would.
"""

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E37_79B9_7F4A_7C15


def mixed(seed: int, *numbers: int) -> int:
    """64 well-mixed bits of a seed and any numbers (the finaliser of splitmix64 over each in turn).

    The seed is mixed before the first number meets it: seeds that differ in few bits share no draws.
    """
    state = begun(seed)
    for number in numbers:
        state = further(state, number)
    return state


def begun(seed: int) -> int:
    """Where a seed leads before any number: ``further(begun(seed), number)`` is ``mixed(seed, number)``.

    Who draws often from one seed keeps it.
    """
    return further(0, seed & _MASK)


def further(state: int, number: int) -> int:
    """The state with one number more mixed into it."""
    state = (state ^ number) + _GOLDEN & _MASK
    state = (state ^ state >> 30) * 0xBF58_476D_1CE4_E5B9 & _MASK
    state = (state ^ state >> 27) * 0x94D0_49BB_1331_11EB & _MASK
    return state ^ state >> 31


def unit(seed: int, *numbers: int) -> float:
    """A number in [0, 1)."""
    return (mixed(seed, *numbers) >> 11) / (1 << 53)


def below(bound: int, seed: int, *numbers: int) -> int:
    """A whole number in [0, bound); ``bound`` is at least 1."""
    return mixed(seed, *numbers) % bound
