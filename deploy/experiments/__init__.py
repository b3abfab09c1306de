"""Experiments: load, faults, a recorded history, checkers, a verdict with a reason and a seed.

``describing`` says what an experiment is, ``conductor`` leads one on a stage of ``stages`` through its
phases, ``history`` decodes what was recorded, ``checkers`` and ``judging`` make a verdict of it, ``report``
shows and ``keeping`` keeps it. ``searching`` tries thousands on virtual time, ``replaying`` plays one
again. ``testbed`` and ``testing`` are for other people's tests.
"""
