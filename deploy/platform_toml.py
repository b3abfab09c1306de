"""The text of a platform.toml to a Platform, with every way in which TOML can be wrong as one kind of error.

It does not read files and does not judge values: ``nodes.firmware.platform.check`` does.
"""

import msgspec

from deploy import platform_mistakes
from nodes.firmware.platform import Platform, PlatformError

LINE_DOTS_MAX = 64


def decode(text: str) -> Platform:
    """The description in ``text``; raises msgspec.DecodeError or PlatformError, and nothing else.

    The first is for what is no TOML, its message ends in ``(at line N, column N)``; the second for a key that
    is not there or a value that it does not take.
    """
    _check_keys(text)
    try:
        return msgspec.toml.decode(text, type=Platform)
    except msgspec.ValidationError as error:
        raise PlatformError(platform_mistakes.told(str(error), msgspec.toml.decode(text))) from None
    except RecursionError:
        raise msgspec.DecodeError(
            "Arrays or tables nest too deeply; nothing here needs more than two"
        ) from None


def _check_keys(text: str) -> None:
    """A key of thousands of parts would keep the TOML parser busy for minutes."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > LINE_DOTS_MAX and not line.lstrip().startswith("#"):
            complaint = f"More than {LINE_DOTS_MAX} dots in a line; keys here have none"
            raise msgspec.DecodeError(f"{complaint} (at line {number}, column 1)")
