"""Names of speech engines: which one a session is stored with, and what people read for it everywhere."""

from typing import Final

BUILTIN: Final = "builtin"
"""The engine that runs beside the service. It has one model, whatever name a client asks for."""
DEEPGRAM: Final = "deepgram"
"""Deepgram, or another server that speaks its API: there the model that a client names is the one that listens."""
BUILTIN_NAME: Final = "Built-in"
UNKNOWN_NAME: Final = "Unknown"


def engine_name(engine: str | None, model: str | None) -> str:
    """Return what listened to a session, as people read it on pages, in exports and in commands.

    `engine` None: the session is older than the column, so the model is all that is known.
    """
    if engine == BUILTIN:
        return BUILTIN_NAME
    return model.capitalize() if model else UNKNOWN_NAME
