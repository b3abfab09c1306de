"""Which of a cluster's machines plays what: ``--place WHO=WHERE,...``, turned into what Ray is asked for.

WHO is xen, firmware, guests, or one domain's name (which wins over guests). WHERE is a word of WORDS, or the
name of a custom resource that machines have ("el3board": 1). It knows Ray's words and no Ray.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from deploy.errors import UserError
from deploy.launching.identity import Identity

SHARE: Final = 0.01  # of a CPU, that Ray sets aside for a node: a machine without CPUs for Ray gets none
GUESTS: Final = "guests"
CORE: Final = ("xen", "firmware")  # they are placed as one group when the platform starts
WORDS: Final = {
    "together": ("xen and firmware", "on one machine, whichever; the default"),
    "apart": ("xen and firmware", "on two machines"),
    "spread": ("guests", "over all machines that have room, as evenly as possible; the default"),
    "any": ("all", "wherever Ray has room"),
    "RESOURCE": ("all", "on a machine that has this custom resource; see below for how much it takes"),
}
ALLOWED: Final = {"core": ("together", "apart", "any"), "guest": ("spread", "any")}
_RAYS_OWN: Final = ("CPU", "GPU", "memory", "object_store_memory", "node:", "bundle", "accelerator_type:")


class Demand(msgspec.Struct, frozen=True):
    """What one node asks for. ``bundle``: its part of the platform's group, -1: it is in none. ``spread``:
    on a machine that has fewer.
    """

    resources: dict[str, float]
    bundle: int = -1
    spread: bool = False


class Group(msgspec.Struct, frozen=True):
    """What is set aside for Xen and EL3 when the platform starts: bundles, each on one machine."""

    bundles: tuple[dict[str, float], ...]
    strategy: str


class Placing(msgspec.Struct, frozen=True):
    """``where`` by WHO, as it was said."""

    where: Mapping[str, str] = {}

    def of(self, identity: Identity) -> str:
        if identity.role in CORE:
            return self.where.get(identity.role, "together")
        return self.where.get(identity.name, self.where.get(GUESTS, "spread"))

    @property
    def tags(self) -> Counter[str]:
        """The custom resources that it takes from the start, and how much; of a guest's board at least 1."""
        found = Counter({tag: 1 for who, tag in self.where.items() if tag not in WORDS and who not in CORE})
        for bundle in self.group().bundles:
            found.update({tag: int(much) for tag, much in bundle.items() if tag != "CPU"})
        return found

    def group(self) -> Group:
        """A board that Xen and EL3 share is taken once: two platforms never share one."""
        xen, firmware = (self.where.get(role, "together") for role in CORE)
        if "apart" in (xen, firmware):
            return Group((_bundle(xen, 1), _bundle(firmware, 1)), "STRICT_SPREAD")
        if xen == firmware != "any" or "together" in (xen, firmware):
            return Group((_bundle(xen if firmware in WORDS else firmware, 2),), "PACK")
        return Group((_bundle(xen, 1), _bundle(firmware, 1)), "PACK")

    def demand(self, identity: Identity) -> Demand:
        """A guest takes a whole one of its resource, as each sits on a board of its own."""
        where = self.of(identity)
        if identity.role in CORE:
            return Demand({"CPU": SHARE}, CORE.index(identity.role) % len(self.group().bundles))
        resources = {"CPU": SHARE}
        if where not in WORDS:
            resources[where] = 1.0
        return Demand(resources, spread=where != "any")


def _bundle(where: str, nodes: int) -> dict[str, float]:
    share = {"CPU": SHARE * nodes}
    return share if where in WORDS else {**share, where: 1.0}


def read(texts: Iterable[str]) -> Placing:
    """Of the command line: "xen=el3board,firmware=el3board", any number of them. Raises UserError."""
    where: dict[str, str] = {}
    for part in (part for text in texts for part in text.split(",")):
        who, equals, place = (word.strip() for word in part.partition("="))
        if not (who and equals and place):
            raise UserError(f"--place {part}: give WHO=WHERE, as in --place xen=el3board,guests=spread")
        if who in where:
            raise UserError(f"--place {part}: {who} is placed twice; give it once")
        where[who] = _checked(part, who, place)
    return Placing(where)


def _checked(part: str, who: str, place: str) -> str:
    words = ALLOWED["core" if who in CORE else "guest"]
    if place in words:
        return place
    if place in WORDS or place.startswith(_RAYS_OWN):
        raise UserError(
            f"--place {part}: {who} may be {', '.join(words)}, or the name of a custom resource; give one"
        )
    return place


def lacking(placing: Placing, machines: Sequence[Mapping[str, float]]) -> str:
    """What no machine of the cluster can give, and what they have; empty if it can be placed. ``machines``:
    all the resources of each, whoever uses them now.
    """
    there: Counter[str] = Counter()
    for machine in machines:
        there.update({tag: int(much) for tag, much in machine.items() if not tag.startswith(_RAYS_OWN)})
    having = ", ".join(f"{tag}: {much}" for tag, much in sorted(there.items())) or "no custom resource at all"
    for tag, wanted in sorted(placing.tags.items()):
        if there[tag] < wanted:
            return (
                f"the resource {tag!r} is wanted {wanted} time{'s'[: wanted > 1]} by --place; "
                f"the cluster has {having}; start a machine's Ray with --resources='{{\"{tag}\": 1}}'"
            )
    usable = [machine for machine in machines if machine.get("CPU", 0) > 0]
    if not usable:
        return "no machine of the cluster has a CPU for Ray; start one with --num-cpus=1 or more"
    group = placing.group()
    if group.strategy == "STRICT_SPREAD" and len(usable) < len(group.bundles):
        return "apart needs two machines with a CPU for Ray, and there is one; start Ray on another"
    return ""
