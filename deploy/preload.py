"""What the fork server imports once, so that every node's process shares it instead of loading it."""

import gc

import deploy.node

__all__ = ["deploy"]

gc.collect()
gc.freeze()
