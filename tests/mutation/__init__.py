"""Good input files spoiled in ten thousand ways: what reads them works, or refuses in one line with a place.

``spoil`` changes bytes and text, ``trees`` changes nodes, ``cases`` makes files of a kind and a seed,
``subjects`` are what is put through them, ``judge`` says what is allowed. To see one case again:
``python -m tests.mutation KIND SEED``.
"""
