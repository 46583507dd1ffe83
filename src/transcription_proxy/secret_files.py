"""Secrets that come from files, as container hosts provide them: NAME_FILE holds what NAME would."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

SECRETS: Final = (
    "JWT_SECRET",
    "DATABASE_URL",
    "DEEPGRAM_API_KEY",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "SMTP_URL",
    "METRICS_TOKEN",
)
"""Settings whose values are never shown."""
MAX_BYTES: Final = 64 * 1024


class UnusableSecret(Exception):
    """A sentence that begins with the setting's name."""


def file_setting(name: str) -> str:
    """Return the name of the setting that names the file of a secret."""
    return f"{name}_FILE"


def secret(env: Mapping[str, str], name: str) -> str:
    """Return a secret from its variable or its file, empty if there is neither. Raise UnusableSecret."""
    value, path = env.get(name, "").strip(), env.get(file_setting(name), "").strip()
    if not path:
        return value
    if value:
        raise UnusableSecret(f"{file_setting(name)} and {name} are both set. Set one of them")
    try:
        with Path(path).expanduser().open("rb") as file:
            value = file.read(MAX_BYTES + 1).decode().strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't text"
        raise UnusableSecret(f"{file_setting(name)} must be a file that can be read, not {path!r} ({why})") from None
    if not value or len(value) > MAX_BYTES:
        raise UnusableSecret(f"{file_setting(name)} must hold the secret, but {path!r} is empty or over 64 KiB")
    return value
