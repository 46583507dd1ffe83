"""Names of the speech engines, as sessions are stored with them and as people read them."""

from typing import Final

BUILTIN: Final = "builtin"
"""The engine that runs beside the service. It has one model, whatever model a client names."""
DEEPGRAM: Final = "deepgram"
"""Deepgram, or another server with its API, which runs the model that a client names."""
BUILTIN_NAME: Final = "Built-in"
UNKNOWN_NAME: Final = "Unknown"


def engine_name(engine: str | None, model: str | None) -> str:
    """Return the engine of a session as people read it on pages, in exports and in commands.

    `engine` None: the session is older than the column, so only its model is known.
    """
    if engine == BUILTIN:
        return BUILTIN_NAME
    return model.capitalize() if model else UNKNOWN_NAME
