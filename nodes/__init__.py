"""Who speaks: EL3 (``firmware``), the Xen mediator (``xen``) and a guest domain (``guest``), as pure cores.

A core takes an event and a time and gives back effects (``contract.py``). Sockets, clocks,
processes and files are in ``deploy``.
"""
