"""EL3: the SCMI platform. ``core.py`` takes SMCs, ``ladder.py`` refuses, one service per protocol answers."""
