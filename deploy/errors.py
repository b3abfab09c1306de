"""The one exception for "we were misused": a bad file, a bad flag, a rule of the platform broken.

It does not know who prints it: ``deploy.cli`` turns it into one line on stderr and exit code 2.
"""


def printable(text: str) -> str:
    """``text`` on one line, with what a terminal would act upon spelled out."""
    line = " ".join(part.strip() for part in text.splitlines())
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in line)


class UserError(ValueError):
    """What the user must fix. The message is one line: the place, the rule broken, the remedy."""

    def __str__(self) -> str:
        """The message on a single printable line, whatever text of the user's files it quotes."""
        return printable(super().__str__())
