"""What a recorded run tells, call by call: the same stories as of a platform that is running."""

from collections.abc import Iterator

from deploy import plugins
from deploy.cli.replay import run_folder
from deploy.experiments.history import files, recorded
from deploy.recording.decode import Decoder
from deploy.tracing.assembling import stories
from deploy.tracing.calls import Story


def stories_of(run: str) -> Iterator[Story]:
    """``run``: a run's folder, or its id. Raises UserError for what is none."""
    folder = run_folder(run)
    origin_ns = recorded.load(folder).origin_ns
    events = Decoder(origin_ns).events(files.read_rows(folder))
    yield from stories(events, plugins.load().tables)
