"""Make one case again and show what every subject says: ``python -m tests.mutation KIND SEED``."""

import sys
import tempfile
from pathlib import Path

from deploy.errors import UserError
from tests.mutation import cases
from tests.mutation.subjects import SUBJECTS


def main(kind: str, seed: str) -> None:
    folder = cases.fresh(Path(tempfile.gettempdir()) / f"trapline-{kind}-{seed}")
    case = cases.make(kind, int(seed), folder)
    _say("files: " + " ".join(map(str, case.inputs.files())))
    for name, subject in SUBJECTS.items():
        try:
            _say(f"{name}: {subject(case.inputs)}")
        except UserError as error:
            _say(f"{name}: refused: {error}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in cases.KINDS:
        sys.exit(f"usage: python -m tests.mutation {{{','.join(cases.KINDS)}}} SEED")
    main(*sys.argv[1:])
