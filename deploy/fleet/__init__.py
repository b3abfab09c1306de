"""A fleet: many whole platforms, each a run with a verdict, side by side on the workers of a crew.

``matrix`` and ``plan`` say which, ``crew`` who does them, ``ledger`` what became of each so that it survives
the coordinator, ``book`` decides from that what is next, ``merging`` makes one result of all.
``coordinator`` leads. How it is used, and what it guarantees: FLEET.md.
"""
