"""What travels between the nodes, and how: field tables, SMCCC, shared-memory pages, SCMI, frames, links.

Start with ``PROTOCOL.md`` beside this file for the wire, ``fields.py`` for how a layout is written
down, ``scmi/clock.py`` for how a protocol reads.
"""
