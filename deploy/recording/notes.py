"""The table of notes: facts for the record that no frame shows, with what their numbers and text mean."""

from typing import Final

NOTES: Final[dict[str, tuple[str, tuple[str, ...], str]]] = {
    # what: (node, names of the numbers, meaning of the text)
    "call": (
        "domain",
        ("head", "intended_ns", "started_ns", "definite", "status"),
        "how it ended, empty for an answer",
    ),
    "arrival_dropped": ("domain", ("intended_ns",), "why an arrival was not even tried"),
    "refused_at": ("firmware", ("agent", "head", "status"), "the rung and its grounds, as JSON"),
    "trap_refused": ("xen", ("domid", "function"), "what it was, and Xen's verdict"),
    "waited": ("xen", ("agent", "wait_ns"), ""),
    "metered": ("xen", ("agent", "enforced"), "rate, in_flight or el3_time: the limit that is passed"),
    "reset": ("firmware", ("agent", "before", "after", "leaks"), "what leaked"),
    "duplicate": ("every", (), "the kind of a message that came a second time and was dropped"),
    "stale": (
        "every",
        ("incarnation", "ended_ns", "function"),
        "what came from an earlier incarnation, and was refused",
    ),
    "phase": ("run", ("begin_ns", "end_ns"), "its name"),
    "fault_begins": ("run", ("number",), "the planned fault as JSON"),
    "fault_ends": ("run", ("number", "applied"), ""),
    "domain": ("run", ("domid", "incarnation", "agent", "smc_id"), "a domain that has started: its name"),
    "gap": ("run", ("rows",), ""),
    "heal": ("run", (), "what was done to let somebody go on"),
    # made by ``decode`` of what came in:
    "malformed": ("every", (), "why the message that it received is none"),
    "unexpected": ("every", (), "a frame that its sender may not send: the kind and the sender"),
    "welcomed": ("every", ("incarnation",), "it was welcomed by Xen, which is that incarnation"),
    "refused": ("every", ("definite",), "an Error to a node that is no domain: code and detail"),
}
