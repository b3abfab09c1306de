"""The ``trapline`` command in this process, for tests that look at what it says; no platform is started."""

from click.testing import CliRunner, Result

from deploy.cli.app import trapline


def run(*words: str, columns: int = 80) -> Result:
    """The command's result; what it raised is raised here."""
    result = CliRunner().invoke(trapline, words, env={"COLUMNS": str(columns)})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
