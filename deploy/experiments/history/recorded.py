"""What a run's cores were made of, kept beside its rows: enough to build them again in any interpreter.

Descriptions go in as they were, not the files that they were read from: those may change. Link identities
and keys do not go in. ``replay`` reads it; whoever leads a run writes it, before the stage stops.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from bus.frames import CLUSTER_BYTES
from deploy.errors import UserError
from deploy.experiments.history import REMEDY, sound
from deploy.recording.rows import domain_of
from deploy.topology import Topology
from nodes.devicetree import Node, Tree
from nodes.firmware.platform import Platform
from nodes.firmware.profile import FirmwareProfile
from nodes.guest.core import GuestConfig
from nodes.xen.config import Tuning, XenConfig, XenEpoch
from nodes.xen.profile import Profile

FILE: Final = "run.json"
FORMAT: Final = 1
GUESTS_MAX: Final = (
    65_536  # incarnations whose configuration is kept; later ones are as the first of their name
)
Cluster = Annotated[str, msgspec.Meta(pattern=rf"^([0-9a-f]{{2}}){{0,{CLUSTER_BYTES}}}$")]


class Recorded(msgspec.Struct, frozen=True):
    """``host`` and ``partials``: the trees; ``profile`` to ``tuning``: Xen; ``platform``, ``firmware``: EL3.

    ``guests``: configurations by domain, and by "NAME#INCARNATION" where one differs (``remember``).
    ``carried``: pages travelled in frames. ``record``: as in the scenario. ``faults``: kinds that were
    planned. ``origin_ns``: what a node's own clock said when the run began, 0 on virtual time.
    ``cluster``: as hex. ``first_requests``: for each start of Xen its ``Tuning.first_request``. ``others``:
    the boards beside the first, of which only what a platform is made of counts.

    ``clocks``: of nodes on machines with a clock of their own, "OFFSET +- UNCERTAINTY ns" by "NODE~LIFE". The
    rows' times are the supervisor's already.
    """

    run_id: str
    seed: int
    engine: str
    name: str
    host: Node
    partials: Mapping[str, Node]
    platform: Platform
    firmware: FirmwareProfile
    profile: Profile
    strict: bool
    xen_cmdline: str
    tuning: Tuning
    guests: Mapping[str, GuestConfig]
    carried: bool = True
    record: str = "frames"
    faults: tuple[str, ...] = ()
    origin_ns: int = 0
    first_requests: tuple[int, ...] = (0,)
    others: tuple["Recorded", ...] = ()
    cluster: Cluster = ""
    clocks: Mapping[str, str] = {}
    format: int = FORMAT

    def board(self, number: int) -> "Recorded | None":
        """What the board of that number was made of, from 0; None if it is not known."""
        boards = (self, *self.others)
        return boards[number] if number < len(boards) else None

    def guest(self, node: str) -> GuestConfig | None:
        """The configuration of "NAME#INCARNATION"; None for a domain that never started."""
        return self.guests.get(node) or self.guests.get(domain_of(node))

    def xen(self, start: int, firmware: int = 1, domains: Mapping[str, int] | None = None) -> XenConfig:
        """What Xen's ``start``-th start of the run, from 0, booted with. ``firmware``: which EL3 ran then;
        ``domains``: the last incarnation of each name before.
        """
        known = self.first_requests
        first_request = known[min(start, len(known) - 1)] if known else 0
        return XenConfig(
            Tree(self.host),
            {name: Tree(node) for name, node in self.partials.items()},
            carried=self.carried,
            profile=self.profile,
            strict=self.strict,
            command_line=self.xen_cmdline,
            tuning=msgspec.structs.replace(self.tuning, first_request=first_request),
            epoch=XenEpoch(bytes.fromhex(self.cluster), firmware, domains or {}),
        )


def describe(
    topology: Topology | Sequence[Topology],
    guests: Mapping[str, GuestConfig],
    *,
    run_id: str,
    seed: int,
    engine: str,
    carried: bool = True,
    record: str = "frames",
    faults: Iterable[str] = (),
    origin_ns: int = 0,
    first_requests: tuple[int, ...] = (0,),
    cluster: str = "",
    clocks: Mapping[str, str] | None = None,
) -> Recorded:
    """The record of a run on ``topology``, or on several boards."""
    first, *more = [topology] if isinstance(topology, Topology) else topology

    def board(one: Topology, others: tuple[Recorded, ...]) -> Recorded:
        return Recorded(
            run_id=run_id,
            seed=seed,
            engine=engine,
            name=one.name,
            host=one.host.root,
            partials={name: tree.root for name, tree in one.partials.items()},
            platform=one.platform,
            firmware=one.firmware,
            profile=one.profile,
            strict=one.strict,
            xen_cmdline=one.xen_cmdline,
            tuning=one.tuning,
            guests=dict(guests),
            carried=carried,
            record=record,
            faults=tuple(sorted(set(faults))),
            origin_ns=origin_ns,
            first_requests=first_requests,
            others=others,
            cluster=cluster,
            clocks=clocks or {},
        )

    faults = tuple(faults)
    return board(first, tuple(board(one, ()) for one in more))


def remember(guests: dict[str, GuestConfig], node: str, config: GuestConfig) -> None:
    """Keep what "NAME#INCARNATION" started with: once per domain, and again only where it differs."""
    name = domain_of(node)
    if guests.setdefault(name, config) != config and len(guests) < GUESTS_MAX:
        guests[node] = config


def save(folder: Path, recorded: Recorded) -> None:
    (folder / FILE).write_bytes(msgspec.json.encode(recorded))


def load(folder: Path) -> Recorded:
    """Raises UserError if the folder holds no run, or one of another format."""
    path = folder / FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: not what a run was made of ({error.strerror}); {REMEDY}") from None
    return read(content, str(path), REMEDY)


def read(content: bytes, where: str, remedy: str) -> Recorded:
    """What ``save`` wrote. Raises UserError, which names ``where``, if it is no description of a run."""
    try:
        found = msgspec.json.decode(content, type=Recorded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{where}: not what a run was made of ({error}); {remedy}") from None
    if found.format != FORMAT:
        raise UserError(f"{where}: format {found.format}, this Trapline reads {FORMAT}; {remedy}")
    wrong = next(sound.problems(found), None)
    if wrong is not None:
        raise UserError(f"{where}: {wrong}, or record the run anew")
    return found
