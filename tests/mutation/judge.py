"""What a subject may do with a case: give a word, or one line that names a file; soon, in little memory."""

import resource
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from deploy.errors import UserError
from tests.mutation.cases import Case, Inputs

CPU_S = 2.0
MEMORY_BYTES = 1 << 30  # beside what the process has when it begins


class _Slow(BaseException):
    """Too long; not an Exception, so that nothing catches it."""


def judged(name: str, subject: Callable[[Inputs], str], case: Case) -> tuple[str, str | None]:
    """The outcome ("refused" for a UserError), and what is wrong with it, if anything."""
    try:
        with _limited():
            return subject(case.inputs), None
    except UserError as error:
        complaint = _complaint(str(error), case.inputs)
        return "refused", complaint and f"{case.replay}: {name}: {complaint}: {str(error)[:300]!r}"
    except (Exception, _Slow) as error:
        last = "".join(traceback.format_exception(error, limit=-3))
        return "broken", f"{case.replay}: {name}: {type(error).__name__}: {error}\n{last}"


def _complaint(text: str, inputs: Inputs) -> str | None:
    if not text or len(text.splitlines()) != 1 or not text.isprintable():
        return "not one printable line"
    # A guest's own tree is named by its xl.cfg only; it lies beside it.
    if not any(f"{path.parent}/" in text for path in inputs.files()):
        return "names no file"
    return None


@contextmanager
def _limited() -> Iterator[None]:
    """CPU time, not wall time: other tests may be running."""

    def slow(_number: int, _frame: FrameType | None) -> None:
        raise _Slow(f"more than {CPU_S} s")

    before = signal.signal(signal.SIGVTALRM, slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def little_memory() -> Iterator[None]:
    """A request for more than MEMORY_BYTES beside what is in use fails with MemoryError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
