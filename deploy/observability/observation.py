"""A session that watches clusters of others: in a run directory of its own, with a janitor of its own.

What watches one platform and ends with it is that platform's companion (``deploy.platform``) instead.
"""

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.engines.caretaker import Caretaker
from deploy.engines.watching import ReadableSources
from deploy.errors import UserError
from deploy.launching import forkserver
from deploy.launching.launcher import LaunchFailed
from deploy.observability.gathering import Gathering
from deploy.observability.session import Session, Tools, Wanted
from deploy.rundir import RunDirectory, usual_parent


class Observation:
    """Within ``with`` everything runs; ``session`` tells where. Raises UserError on entering.

    ``clusters()`` gives the run directories to watch, as ``Gathering`` wants it.
    """

    def __init__(self, wanted: Wanted, found: Tools, clusters: Callable[[], Iterable[Path]]) -> None:
        self.run = RunDirectory(usual_parent() / f"observe-{os.getpid()}")
        page = ["--parent", str(usual_parent())]
        self.session = Session(wanted, found, self.run.observe, "../sd/*.json", page)
        self.gathering = Gathering(clusters, self.run.targets)
        self._caretaker = Caretaker(ReadableSources())
        self._forking = False

    def __enter__(self) -> Self:
        try:
            self._start()
        except LaunchFailed as error:
            self._stop()
            raise UserError(str(error)) from None
        except BaseException:
            self._stop()
            raise
        return self

    def _start(self) -> None:
        self.run.claim()
        context = forkserver.acquire(str(self.run.tmp))
        self._forking = True
        self._caretaker.start(context, self.run.path)
        self.gathering.start()
        self.session.start(self._caretaker.look_after_other)
        self.session.wait()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)  # half of this would leave something
        try:
            self.session.stop()
            self.gathering.stop()
            self._caretaker.end()
            if self._forking:
                self._forking = False
                forkserver.release()
            self.run.remove()
        finally:
            signal.signal(signal.SIGINT, previous)
