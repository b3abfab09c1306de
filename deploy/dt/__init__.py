"""Device trees written out: Dom0's, and a partial tree for a guest.

``dom0`` says what becomes of SCMI in Dom0's tree and why. ``guest`` plans a guest's tree, ``device`` copies
one device of the host into it, ``template`` writes the plan as source, ``advice`` the configuration that
goes with it. Nothing here reads files or prints; that is ``deploy.cli.dt``.
"""
