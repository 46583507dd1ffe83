"""Replaces a file in one step, so that a crash or a full disk leaves the old one whole."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transcription_client.errors import ClientError


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, in a folder that is made for its owner if missing.

    Raise ClientError.
    """
    with writing(path.parent):
        draft, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}-")  # made with mode 0600
        try:
            with os.fdopen(draft, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink()
            raise


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make a folder, for its owner only, and raise ClientError in place of OSError in the block."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ClientError(f"Can't write to {folder} ({error.strerror}). Fix that, then try again.") from error
