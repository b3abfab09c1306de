"""A run's report: one HTML file that needs no network, made from the result alone.

``write`` makes the file. ``view`` turns the result into tables of text, ``plots`` into figures, ``spacetime``
into a drawing; ``templates`` has the page, its style and its script. What each part answers: README.md here.
"""

from deploy.experiments.report.page import render, write
from deploy.experiments.report.view import WORDS

__all__ = ["WORDS", "render", "write"]
