"""Experiments: load, faults, a recorded history, checkers, a verdict with a reason and a seed.

``scenario`` describes, ``plan`` draws, ``stage`` runs (simulated or on real processes), ``conductor`` leads
through the phases, ``history`` remembers, ``checkers`` judge, ``report`` shows.
"""
