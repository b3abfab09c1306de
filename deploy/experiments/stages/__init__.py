"""Where an experiment takes place: the same things asked of virtual time (``simulated``) and of real
processes (``local``). ``stage`` is what both are, ``building`` chooses, ``operations`` are the toolstack's.
"""
