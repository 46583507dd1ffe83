"""Clusters outside of DATA_DIR, which only root has, with DATA_DIRs that are removed, moved and copied."""

import os
import shutil
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from transcription_proxy.db import ownership, places
from transcription_proxy.db.embedded import Embedded
from transcription_proxy.errors import Unavailable

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has clusters outside of DATA_DIR")


@pytest.fixture
def data_dir(reachable_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "SHARED", places.make_folder(reachable_dir / uuid4().hex, 0o711))
    return reachable_dir / uuid4().hex / "data"


def written(data_dir: Path, word: str) -> None:
    with Embedded.acquire(data_dir) as server, psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def words(data_dir: Path) -> list[str] | None:
    """Return the words in the table, or None if there is no table."""
    with Embedded.acquire(data_dir) as server, psycopg.connect(server.url) as connection:
        try:
            return [word for (word,) in connection.execute("SELECT word FROM words ORDER BY word")]
        except psycopg.errors.UndefinedTable:
            return None


@pytest.fixture
def home(data_dir: Path) -> Path:
    """Return the home of the cluster of a DATA_DIR that only root can enter."""
    data_dir.parent.mkdir(mode=0o700)
    written(data_dir, "first")
    home = places.home(data_dir)
    assert home.parent == places.SHARED
    return home


def set_aside(home: Path) -> list[Path]:
    return sorted(home.glob("set-aside-*"))


def test_a_cluster_outside_of_data_dir_is_found_again(data_dir: Path, home: Path) -> None:
    assert words(data_dir) == ["first"]
    assert set_aside(home) == []


def test_a_new_data_dir_does_not_get_the_cluster_of_a_deleted_one(
    data_dir: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(data_dir)
    assert words(data_dir) is None
    [aside] = set_aside(home)
    assert str(aside) in caplog.text
    written(data_dir, "second")
    assert words(data_dir) == ["second"]
    shutil.move(home / "server", home / "second")  # as the log message advises
    shutil.move(aside, home / "server")
    shutil.copy(home / "server" / ownership.NAME, data_dir)
    assert words(data_dir) == ["first"]


def test_a_cluster_in_use_is_not_set_aside(data_dir: Path, home: Path) -> None:
    with Embedded.acquire(data_dir) as server:
        shutil.rmtree(data_dir)
        with pytest.raises(Unavailable, match="Stop the service that was started there"):
            Embedded.acquire(data_dir)
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT word FROM words").fetchone() == ("first",)
    assert words(data_dir) is None


def test_an_unused_server_is_stopped_before_it_is_set_aside(data_dir: Path, home: Path) -> None:
    server = Embedded.acquire(data_dir)
    os.close(server.lock_fd)  # as a kill of this process would
    shutil.rmtree(data_dir)
    assert words(data_dir) is None
    assert len(set_aside(home)) == 1


def test_an_interrupted_start_is_resumed(data_dir: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(data_dir)

    def make(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("transcription_proxy.db.cluster.Cluster.make", make)
        Embedded.acquire(data_dir)  # the old cluster is set aside, and there is no new one
    written(data_dir, "second")
    assert words(data_dir) == ["second"]
    assert len(set_aside(home)) == 1


def test_a_cluster_without_a_note_is_adopted(data_dir: Path, home: Path) -> None:
    (home / "server" / ownership.NAME).unlink()
    (data_dir / ownership.NAME).unlink()
    (data_dir / "lives").mkdir()
    assert words(data_dir) == ["first"]
    assert ownership.read(data_dir) == ownership.read(home / "server") is not None


def test_a_copied_data_dir_logs_where_its_database_is(
    data_dir: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = data_dir.with_name("copy")
    shutil.copytree(data_dir, copy)
    assert words(copy) is None
    assert f"was in {home}" in caplog.text
    caplog.clear()
    assert words(copy) is None
    assert caplog.text == ""
    assert words(data_dir) == ["first"]
