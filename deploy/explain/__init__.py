"""Who may ring what, and why: a description of a platform for people.

``rehearsal`` boots the platform in the simulated engine and rings every doorbell from every domain, so the
answers are Xen's and EL3's own. ``facts`` joins them with what the files say. ``text`` tells it in words,
``picture`` draws it. Nothing here reads files or prints; that is ``deploy.cli.explain``.
"""
