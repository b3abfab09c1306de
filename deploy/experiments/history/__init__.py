"""What happened, row by row: recorded at the nodes, kept in columns, read back as events.

``rows`` is what nodes record, ``files`` keeps and reads it (Parquet), ``decode`` makes events of it,
``events`` are what checkers, reports and ``diff`` see. ``notes`` is the table of facts that no frame shows.
"""
