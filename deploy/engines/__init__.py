"""Who calls ``step`` and what time is: ``local`` (a process per node) and ``simulated`` (virtual time)."""
