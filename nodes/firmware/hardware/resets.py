"""Reset lines: which are held, how often each was pulsed. Who may hold one is not known here."""

from collections.abc import Sequence

from nodes.firmware.platform import ResetDomain


class Resets:
    """``asserted`` and ``failed`` are ids; ``pulses`` counts by id."""

    def __init__(self, domains: Sequence[ResetDomain]) -> None:
        self.domains = {one.id: one for one in domains}
        self.asserted = {one.id for one in domains if one.asserted}
        self.pulses = dict.fromkeys(self.domains, 0)
        self.failed: set[int] = set()
        self._missed: dict[int, bool] = {}

    def pulse(self, domain_id: int) -> bool:
        """Assert and release by itself; False if the hardware failed."""
        if domain_id in self.failed:
            return False
        self.pulses[domain_id] += 1
        return True

    def hold(self, domain_id: int, asserted: bool) -> bool:
        """Hold the line or let it go; False if the hardware failed: then it follows once it is mended."""
        if domain_id in self.failed:
            self._missed[domain_id] = asserted
            return False
        if asserted:
            self.asserted.add(domain_id)
        else:
            self.asserted.discard(domain_id)
        return True

    def fail(self, domain_id: int, failed: bool) -> None:
        """Break a line, or mend it."""
        if failed:
            self.failed.add(domain_id)
        else:
            self.failed.discard(domain_id)
            missed = self._missed.pop(domain_id, None)
            if missed is not None:
                self.hold(domain_id, missed)
