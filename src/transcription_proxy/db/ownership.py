"""Which DATA_DIR owns a cluster outside of it: both folders hold the same note, with a random id.

A cluster is outside of DATA_DIR only where root runs the service and PostgreSQL's user cannot enter DATA_DIR. Its
folder is named after DATA_DIR's path. Without the note, a DATA_DIR that was deleted and created again would get the
accounts of the old one."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

NAME: Final = "database.json"
FRESH: Final = frozenset({"jwt_secret", "address"})
"""Names of files that a new DATA_DIR may contain before it has a database."""


@dataclass(frozen=True, slots=True)
class Note:
    """The note that both folders hold. `home`: the cluster's folder when the note was written."""

    id: str
    home: str

    @property
    def text(self) -> str:
        return json.dumps(asdict(self))


def read(folder: Path) -> Note | None:
    """Return the note in a folder, or None where there is none that can be read."""
    try:
        return Note(**json.loads((folder / NAME).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write(folder: Path, note: Note) -> None:
    """Replace the note in a folder atomically: after a crash the folder has the old one or the new one."""
    draft = folder / f"{NAME}.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(note.text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / NAME)


def belongs(noted: Note | None, owner: Note | None, home: Path, is_fresh: bool) -> bool:
    """Return whether a cluster in `home` belongs to a DATA_DIR. `noted`: DATA_DIR's note. `owner`: the cluster's note.

    A cluster without a note was created before notes existed, or its note was never written. It belongs to DATA_DIR
    unless that `is_fresh`, or notes another home.
    """
    if owner is not None:
        return noted is not None and noted.id == owner.id
    return not is_fresh if noted is None else noted.home == str(home)


def is_fresh(data_dir: Path) -> bool:
    """Return whether DATA_DIR has only files that this start may have created."""
    return {path.name for path in data_dir.iterdir()} <= FRESH


def renewed(noted: Note | None, home: Path) -> Note:
    """Return the note for a cluster in `home`, with the id in DATA_DIR's note if there is one."""
    return Note(noted.id if noted else secrets.token_hex(16), str(home))
