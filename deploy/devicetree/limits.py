"""Bounds on what a device tree file may ask of us, far above any real board's."""

FILE_BYTES_MAX = 16 << 20  # one file
SOURCE_BYTES_MAX = 16 << 20  # all sources together, a file counted each time it is included
INCLUDE_DEPTH_MAX = 32
DEPTH_MAX = 64  # levels of nodes
PATH_CHARS_MAX = 1024  # a node's full path
VALUES_MAX = 1 << 16  # comma-separated values and references of one property in a source
