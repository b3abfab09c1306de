"""What dashboards' panels say, one TOML file per dashboard: title, question, what stands there without data.

Apart from the queries because they are read, and changed, by other people; and printed in grafana/README.md.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``why``: the question that a panel answers, and what a bad value means. ``empty``: without data."""

    title: str
    why: str
    empty: str


def words(dashboard: str) -> Mapping[str, Words]:
    """The panels' words by their key, in the order of the file; raises KeyError when a panel has none."""
    return msgspec.toml.decode((FOLDER / f"{dashboard}.toml").read_bytes(), type=dict[str, Words])
