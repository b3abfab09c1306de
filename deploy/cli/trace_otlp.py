"""``trapline trace --otlp URL``: calls as OpenTelemetry traces, to nobody else, as they happen."""

import importlib
import re
from collections.abc import Callable
from typing import Any, Final

from deploy.errors import UserError
from deploy.tracing.calls import Call
from deploy.tracing.filters import Filter
from deploy.tracing.live import Live

SAMPLE_MAX: Final = 1_000_000
_SAMPLE: Final = re.compile(r"1(?:/([1-9][0-9]{0,6}))?")


def one_in(sample: str) -> int:
    """What "1/N" means; raises UserError."""
    found = _SAMPLE.fullmatch(sample.strip())
    number = int(found[1] or 1) if found else 0
    if not 1 <= number <= SAMPLE_MAX:
        raise UserError(f"--sample {sample}: give 1/N, such as 1/100 for one call in a hundred")
    return number


def exporting(url: str, sample: str, wall_ns: int, cluster: str) -> Any:
    """What sends to ``url``; ``wall_ns``: Unix time when the run began.

    Raises UserError for a wrong URL, or without the extra.
    """
    number = one_in(sample)
    try:
        otel = importlib.import_module("deploy.tracing.otel")
    except ModuleNotFoundError as error:
        raise UserError(
            f"--otlp: {error.name} is not installed; install it with pip install 'trapline[otel]'"
        ) from None
    return otel.Exporting(otel.exporter(url), wall_ns, number, cluster)


def export(live: Live, wanted: Filter, limit: int | None, to: Any, say: Callable[[str], None]) -> None:
    """Until Ctrl-C, ``limit`` calls, or the end of the platform; then says how many spans were sent."""
    count, told, missed = 0, False, 0
    try:
        for story in live.following():
            if live.missed > missed:
                say(f"... {live.missed - missed:,} messages were overwritten before they were read")
                missed = live.missed
            if isinstance(story, Call) and wanted.wants(story):
                to.add(story)
                count += 1
            elif story is None:
                to.flush()
            if to.failed and not told:
                told = True
                say("the receiver takes no spans; what it does not take is lost")
            if count == limit:
                break
    finally:
        to.close()
        say(f"{to.exported:,} spans sent, {to.failed:,} not taken")
