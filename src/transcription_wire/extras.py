"""Ends a program that was installed without the packages it needs, with the command that installs them."""

import sys
from typing import Final, NoReturn

from transcription_wire.sentences import missing_extra
from transcription_wire.version import VERSION

OURS: Final = "transcription_"
"""Begins the names of this project's packages."""


def end_without(extra: str, program: str, error: ModuleNotFoundError) -> NoReturn:
    """Exit with a sentence. `--version` needs no other package, so it succeeds.

    Raise the error where one of this project's own modules is missing.
    """
    if (error.name or OURS).startswith(OURS):
        raise error
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"{program} {VERSION}\n")
        sys.exit(0)
    sys.exit(missing_extra(program, extra))
