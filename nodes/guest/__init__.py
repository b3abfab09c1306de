"""A guest domain: an SCMI agent as an operating system would be one, and what it works on.

``binding.py`` reads the domain's own device tree, ``core.py`` rings and waits, ``workload.py`` is
the work, ``console.py`` is what an operator may ask of it.
"""
