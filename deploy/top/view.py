"""How the table is shown: what keys change, and options choose at the start. Pure."""

from dataclasses import dataclass

from deploy.top.columns import DEFAULT_SORT


@dataclass
class View:
    """``sort`` is a column's key, ``words`` the filter; ``backwards`` turns the order round."""

    sort: str = DEFAULT_SORT
    words: str = ""
    backwards: bool = False
    paused: bool = False
