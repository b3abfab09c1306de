"""The table of faults: every kind by name, what it does, and whether a board can do it or only our bus.

Carried out elsewhere: on links by ``bus.faults``, in EL3 by ``nodes.firmware.faults``, in guests by
``nodes.guest.hostile``, on processes and the toolstack by the stages.
"""

from typing import Final, Literal

import msgspec

Layer = Literal["link", "process", "el3", "xen", "toolstack", "guest"]
Origin = Literal["architecture", "bus"]


class Kind(msgspec.Struct, frozen=True):
    """``origin``: whether the architecture can do this, or only our bus. ``takes``: the keys of [[fault]]
    that mean something here. ``needs``: what the stage must have ("mapped" pages). ``heals``: what has to
    be done afterwards beside ending it: "reboot" (the domains it hit), "reboot-all", "" for nothing.
    ``instant``: it has no duration.
    """

    name: str
    layer: Layer
    origin: Origin
    what: str
    takes: tuple[str, ...] = ()
    needs: str = ""
    heals: str = ""
    instant: bool = False


LINK = ("where", "to", "likelihood", "messages")
EL3 = ("where", "likelihood", "messages", "count")
KINDS: Final = (
    Kind(
        "link.delay",
        "link",
        "architecture",
        "messages take longer by delay_us and up to jitter_us, in order; to a guest that is what a "
        "slow path through Xen or EL3 looks like",
        (*LINK, "delay_us", "jitter_us"),
    ),
    Kind(
        "link.lose",
        "link",
        "bus",
        "messages are gone; an SMC on a board always returns or never",
        LINK,
        heals="reboot",
    ),
    Kind(
        "link.duplicate",
        "link",
        "bus",
        "messages arrive twice",
        (*LINK, "delay_us", "jitter_us"),
    ),
    Kind(
        "link.reorder",
        "link",
        "bus",
        "messages are overtaken by later ones",
        (*LINK, "delay_us"),
    ),
    Kind(
        "link.partition",
        "link",
        "bus",
        "two nodes cannot reach one another until it heals",
        ("where", "to"),
        heals="reboot",
    ),
    Kind(
        "process.kill",
        "process",
        "architecture",
        "the process ends at once: the domain crashed",
        ("where",),
        instant=True,
    ),
    Kind(
        "process.pause",
        "process",
        "architecture",
        "the node does not run: a vCPU that is not scheduled",
        ("where",),
    ),
    Kind(
        "process.slow",
        "process",
        "architecture",
        "the node gets a part of its CPU time only: step is how many times slower",
        ("where", "step"),
    ),
    Kind(
        "el3.stall",
        "el3",
        "architecture",
        "EL3 does not answer anybody; what came meanwhile is answered afterwards",
    ),
    Kind(
        "el3.restart",
        "el3",
        "bus",
        "EL3 starts again and has forgotten every grant and vote; on a board the whole SoC would go with it",
        heals="reboot-all",
        instant=True,
    ),
    Kind(
        "el3.busy",
        "el3",
        "architecture",
        "EL3 answers BUSY instead",
        EL3,
    ),
    Kind(
        "el3.hardware_error",
        "el3",
        "architecture",
        "EL3 answers HARDWARE_ERROR instead",
        EL3,
    ),
    Kind(
        "el3.late",
        "el3",
        "architecture",
        "EL3's answer takes delay_us longer",
        (*EL3, "delay_us"),
    ),
    Kind(
        "el3.wrong_token",
        "el3",
        "architecture",
        "EL3's answer carries another token: a firmware bug",
        EL3,
    ),
    Kind(
        "el3.torn_page",
        "el3",
        "architecture",
        "EL3 sets FREE before all of its answer is in the page",
        EL3,
    ),
    Kind(
        "el3.corrupt_page",
        "el3",
        "architecture",
        "a bit of EL3's answer is flipped",
        EL3,
    ),
    Kind(
        "el3.lost_completion",
        "el3",
        "architecture",
        "EL3's answer is in the page, its completion interrupt never comes",
        EL3,
    ),
    Kind(
        "el3.refuse_reset",
        "el3",
        "architecture",
        "EL3 answers GENERIC_ERROR to the reset of an agent: its domain stays dying and keeps it",
        ("where", "likelihood", "count"),
        heals="reboot",
    ),
    Kind(
        "xen.restart",
        "xen",
        "bus",
        "Xen starts again, with Dom0 and every domain; EL3 goes on and keeps what agents held",
        instant=True,
    ),
    Kind(
        "toolstack.dies_creating",
        "toolstack",
        "architecture",
        "xl ends after step hypercalls of creating a domain",
        ("where", "step"),
        heals="reboot",
        instant=True,
    ),
    Kind(
        "toolstack.dies_destroying",
        "toolstack",
        "architecture",
        "xl ends after step hypercalls of destroying a domain",
        ("where", "step"),
        heals="reboot",
        instant=True,
    ),
    Kind(
        "toolstack.reboot",
        "toolstack",
        "architecture",
        "xl reboot: the domain is destroyed, its agent reset, and it is created again",
        ("where",),
        instant=True,
    ),
    Kind(
        "toolstack.destroy",
        "toolstack",
        "architecture",
        "xl destroy; the domain is created again when this ends",
        ("where",),
    ),
    Kind(
        "guest.spurious_doorbell",
        "guest",
        "architecture",
        "rings while the channel is FREE",
        ("where", "rate"),
    ),
    Kind(
        "guest.oversize",
        "guest",
        "architecture",
        "rings with a length beyond the area",
        ("where", "rate"),
    ),
    Kind(
        "guest.undersize",
        "guest",
        "architecture",
        "rings with a length below the header",
        ("where", "rate"),
    ),
    Kind(
        "guest.error_preset",
        "guest",
        "architecture",
        "rings with ERROR set",
        ("where", "rate"),
    ),
    Kind(
        "guest.header_flip",
        "guest",
        "architecture",
        "changes the message id between two reads of the header",
        ("where", "likelihood"),
        needs="mapped",
    ),
    Kind(
        "guest.rewrite_page",
        "guest",
        "architecture",
        "rewrites the page after the doorbell",
        ("where", "likelihood"),
        needs="mapped",
    ),
    Kind(
        "guest.foreign_flood",
        "guest",
        "architecture",
        "rings doorbells of others",
        ("where", "rate"),
    ),
    Kind(
        "guest.junk_frames",
        "guest",
        "bus",
        "sends bytes that are no frame, and frames it may not send",
        ("where", "rate"),
    ),
    Kind(
        "guest.trap_storm",
        "guest",
        "architecture",
        "traps as fast as it can, with many vCPUs",
        ("where", "rate"),
    ),
)
BY_NAME: Final = {kind.name: kind for kind in KINDS}
