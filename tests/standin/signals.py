"""Gives the processes that tests start the default signal handling, however the tests were started."""

import signal
from typing import Final

IGNORED_IN_THE_BACKGROUND: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
"""By nohup, and by a script for what it starts with `&`."""


def reset_in_children() -> None:
    """Make ignored signals take their default effect in every process that is started from now on.

    An ignored signal stays ignored across exec, a handled one does not: so here it gets a handler that does nothing.
    """
    for number in IGNORED_IN_THE_BACKGROUND:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
