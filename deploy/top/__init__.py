"""``trapline top``: a live view of a running platform in the terminal, and the same numbers once for scripts.

``rates``, ``model``, ``columns`` and ``pokes`` are pure; ``source`` asks the control socket; ``app`` and the
screens beside it draw with Textual, which only they import.
"""
