"""One valid request for every command, and a platform on which they are: the ground that sweeps start from.

Each module is named after a protocol and has TABLES (platform.toml's tables, by key), DEVICE (what device 1
groups, by key of a [[device]]) and REQUESTS (by command; each succeeds, in this order, for agent 2, which was
granted device 1 and has a way back). Resources of kinds in TABLES that are not in DEVICE belong to device 2,
which nobody was granted, or to none.
"""
