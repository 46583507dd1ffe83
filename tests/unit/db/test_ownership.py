"""Whose a cluster is, in every state that a start can find."""

from pathlib import Path

import pytest

from transcription_proxy.db import ownership
from transcription_proxy.db.ownership import Note

HOME, ELSEWHERE = Path("/var/lib/x/1"), Path("/var/lib/x/2")
OURS, THEIRS = Note("a", str(HOME)), Note("b", str(HOME))
OLD = Note("a", str(ELSEWHERE))
"""Ours, in a DATA_DIR that was moved."""


@pytest.mark.parametrize(
    ("noted", "owner", "fresh", "belongs"),
    [
        (OURS, OURS, False, True),
        (OLD, OURS, False, True),  # moved there and back
        (OURS, THEIRS, False, False),
        (None, THEIRS, True, False),  # DATA_DIR was removed
        (None, THEIRS, False, False),
        (None, None, True, False),
        (None, None, False, True),  # both from before there were notes
        (OURS, None, False, True),  # an adoption that was cut off
        (OLD, None, False, False),
    ],
)
def test_a_cluster_belongs_to_who_holds_its_note(
    noted: Note | None, owner: Note | None, fresh: bool, belongs: bool
) -> None:
    assert ownership.belongs(noted, owner, HOME, fresh) == belongs


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert ownership.read(tmp_path) is None
    ownership.write(tmp_path, OURS)
    ownership.write(tmp_path, THEIRS)
    assert ownership.read(tmp_path) == THEIRS
    assert [path.name for path in tmp_path.iterdir()] == [ownership.NAME]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"id": "a"}', '{"id": "a", "home": "/", "more": 1}'])
def test_a_note_that_is_not_understood_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / ownership.NAME).write_text(text)
    assert ownership.read(tmp_path) is None


def test_an_id_stays_where_it_is_known() -> None:
    assert ownership.renewed(OLD, HOME) == OURS
    made = [ownership.renewed(None, HOME) for _ in range(2)]
    assert made[0].home == str(HOME)
    assert made[0].id != made[1].id


def test_a_folder_is_fresh_until_something_has_run_in_it(tmp_path: Path) -> None:
    assert ownership.is_fresh(tmp_path)
    (tmp_path / "jwt_secret").touch()
    assert ownership.is_fresh(tmp_path)
    (tmp_path / "lives").mkdir()
    assert not ownership.is_fresh(tmp_path)
