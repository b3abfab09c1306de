"""Xen: binding and probe, trapped SMCs, the multi-agent mediator, domains and their life cycle.

``core.py`` is the state machine. ``binding.py`` judges the device tree, ``transfer.py`` is Xen as
an SCMI agent, ``vsmc.py`` sorts traps, ``mediator.py`` owns the channels, ``hypervisor.py`` is what
the toolstack may ask. Facts: the newest posting of the driver (v10/v11).
"""
