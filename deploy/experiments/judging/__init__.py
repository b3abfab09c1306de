"""From a history to a verdict, in one pass: ``jury`` leads it past the checkers and the ``tally``;
``measure`` and ``thresholds`` read the counts, ``verdict`` puts the result together.
"""
