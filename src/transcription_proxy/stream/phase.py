"""The phases of a session, in the order in which it passes through them."""

from enum import Enum, auto
from typing import Final


class Phase(Enum):
    """A session goes from DIALLING to OVER, and back and forth between LIVE and REDIALLING."""

    DIALLING = auto()
    """The first upstream is being dialled."""
    LIVE = auto()
    """Audio and words flow."""
    REDIALLING = auto()
    """The upstream was lost. Audio is buffered while another one is dialled."""
    FINISHING = auto()
    """CloseStream was sent, and the session waits for the last words and Metadata."""
    CLOSING = auto()
    """The ledger was asked to commit the close."""
    OVER = auto()
    """Nothing is left to do."""


RUNNING: Final = (Phase.LIVE, Phase.REDIALLING)
