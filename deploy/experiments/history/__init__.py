"""What happened, row by row: kept in columns, read back as events.

``files`` keeps and reads the rows of ``deploy.recording`` (Parquet), ``decode`` makes events of them,
``events`` are what checkers, reports and ``diff`` see, ``semantic`` writes them decoded. ``notes`` is the
table of facts that no frame shows, ``recorded`` what a run's cores were made of, ``account`` adds its calls
up.
"""

from typing import Final

REMEDY: Final = 'make a new one with "trapline run SCENARIO"'
