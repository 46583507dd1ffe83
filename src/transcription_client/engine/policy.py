"""Decides what follows when a connection has ended. It uses no clock and no socket."""

from enum import Enum, auto
from typing import Final

from transcription_client.errors import Unreachable
from transcription_client.redial import PASSING, Ended
from transcription_wire.codes import Reason

CHOSEN: Final[frozenset[str]] = frozenset(
    {Reason.CLIENT_STOP, Reason.REPLACED, Reason.ENDED_BY_USER, Reason.ENDED_BY_OPERATOR}
)
"""Somebody ended these captions, so they stay ended."""


class Next(Enum):
    """What the captioner does after a connection has ended."""

    END = auto()
    REDIAL = auto()
    WAIT_FOR_SOUND = auto()
    """Dial again when there is audio to send."""
    GIVE_UP = auto()
    """Another try would fail alike: fall back, or end."""


def after(ended: Ended, *, worked: bool) -> Next:
    """Return what follows. `worked`: this service has been live before, so its address is right."""
    if ended.reason in CHOSEN:
        return Next.END
    if ended.reason == Reason.IDLE:
        return Next.WAIT_FOR_SOUND
    return Next.REDIAL if _is_passing(ended, worked=worked) else Next.GIVE_UP


def _is_passing(ended: Ended, *, worked: bool) -> bool:
    if ended.error is None and ended.reason is None and ended.fault is not None:
        return worked or isinstance(ended.fault, Unreachable)
    return all(word in PASSING for word in (ended.error, ended.reason) if word is not None)
