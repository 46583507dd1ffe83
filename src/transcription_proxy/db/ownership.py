"""Which DATA_DIR a cluster outside of it belongs to: both hold the same note, with a random id.

A cluster lies elsewhere only as root, where PostgreSQL's user cannot reach DATA_DIR, in a folder named after DATA_DIR's
path. Without the note, a DATA_DIR that was removed and made again would get the accounts of the one before it."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

NAME: Final = "database.json"
FRESH: Final = frozenset({"jwt_secret", "address"})
"""Names of files that a new DATA_DIR may hold before it has a database."""


@dataclass(frozen=True, slots=True)
class Note:
    """`home`: the folder that the cluster is in, as DATA_DIR was told."""

    id: str
    home: str

    @property
    def text(self) -> str:
        return json.dumps(asdict(self))


def read(folder: Path) -> Note | None:
    """Return the note in a folder, or None where there is none that can be understood."""
    try:
        return Note(**json.loads((folder / NAME).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write(folder: Path, note: Note) -> None:
    """Replace the note in a folder: after a crash it is the old one or the new one."""
    draft = folder / f"{NAME}.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(note.text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / NAME)


def belongs(noted: Note | None, owner: Note | None, home: Path, is_fresh: bool) -> bool:
    """Whether a cluster in `home` is the one of a DATA_DIR. `noted`: the note there, `owner`: the cluster's.

    A cluster without a note was made before there were any, or its adoption was cut off. It is taken unless DATA_DIR
    `is_fresh`, or knows of another one.
    """
    if owner is not None:
        return noted is not None and noted.id == owner.id
    return not is_fresh if noted is None else noted.home == str(home)


def is_fresh(data_dir: Path) -> bool:
    """Whether nothing in DATA_DIR is older than this start."""
    return {path.name for path in data_dir.iterdir()} <= FRESH


def renewed(noted: Note | None, home: Path) -> Note:
    """Return the note for a cluster in `home`, with the id that DATA_DIR has already."""
    return Note(noted.id if noted else secrets.token_hex(16), str(home))
