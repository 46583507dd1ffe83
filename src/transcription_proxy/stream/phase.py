"""The stations of a session's life."""

from enum import Enum, auto
from typing import Final


class Phase(Enum):
    DIALLING = auto()
    LIVE = auto()
    REDIALLING = auto()
    """The upstream was lost: audio is kept, and another one is sought."""
    FINISHING = auto()
    """CloseStream is sent: the last words and Metadata are awaited."""
    CLOSING = auto()
    """The ledger is to commit the end."""
    OVER = auto()


RUNNING: Final = (Phase.LIVE, Phase.REDIALLING)
