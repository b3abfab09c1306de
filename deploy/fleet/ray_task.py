"""What a machine of a Ray cluster does with an order of a fleet. Ray finds it by its module and name."""

import hashlib

from deploy import __version__
from deploy.errors import UserError
from deploy.experiments.describing import problems
from deploy.fleet.working import order_of, work


def digest(scenario: str) -> str:
    """Of the scenario's text as this machine has it. Raises UserError."""
    return hashlib.sha256(problems.read(scenario)[2].encode()).hexdigest()


def work_there(order: bytes, version: str, text: str) -> bytes:
    """On some machine of the cluster: the answer. Raises UserError if it has another Trapline or scenario."""
    if version != __version__:
        raise UserError(f"a machine has Trapline {__version__}, not {version}; install the same on all")
    scenario = order_of(order).scenario
    if digest(scenario) != text:
        raise UserError(f"{scenario}: a machine has another text of it; give all the same file")
    return work(order)
