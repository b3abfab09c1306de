"""Reference pages in Markdown, read off the same tables as the codecs: protocols, frames, the shared page.

Pure text: ``deploy.generate`` writes it beside the code, and a test compares. The package knows how a table
is printed, not what a message means; the prose about the wire is ``PROTOCOL.md``.
"""

from bus.reference.frames import DIRECTIONS, frames_table, shmem_table, summary
from bus.reference.markdown import bit_rows, table
from bus.reference.protocol import parts, protocol_page, structures_of

__all__ = [
    "DIRECTIONS",
    "bit_rows",
    "frames_table",
    "parts",
    "protocol_page",
    "shmem_table",
    "structures_of",
    "summary",
    "table",
]
