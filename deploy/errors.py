"""The one exception for "we were misused": a bad file, a bad flag, a rule of the platform broken.

It does not know who prints it: ``deploy.cli`` turns it into one line on stderr and exit code 2.
"""


class UserError(ValueError):
    """What the user must fix. The message is one line: the place, the rule broken, the remedy."""

    def __str__(self) -> str:
        """The message on a single printable line, whatever text of the user's files it quotes."""
        text = " ".join(line.strip() for line in super().__str__().splitlines())
        return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
