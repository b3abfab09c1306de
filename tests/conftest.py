"""For every test: Hypothesis judges what code does, not how long a busy machine took for it."""

from hypothesis import settings

settings.register_profile("trapline", deadline=None)
settings.load_profile("trapline")
