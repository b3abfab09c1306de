"""A guest domain: an SCMI agent as an operating system would be one, and what it works on.

``binding.py`` reads the domain's own device tree, ``core.py`` makes one call after the other, ``channel.py``
is their page and doorbell, ``receiving.py`` takes what comes unasked, ``console.py`` is what an operator may
ask of it. What it asks of its own accord: ``caller.py`` makes one typed call, ``client.py`` reads lists with
it, ``discovery.py`` is the start, ``workload.py`` the daily work.
"""
