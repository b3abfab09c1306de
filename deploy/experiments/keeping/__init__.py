"""What is kept of runs: a folder for each (``folders``, ``session``), a database of all (``runs``), two of
them side by side (``comparison``).
"""
