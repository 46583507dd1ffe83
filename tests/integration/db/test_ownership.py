"""A cluster outside of DATA_DIR, which only root has, and DATA_DIRs that are removed, moved and copied."""

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
    """None: there is no table."""
    with Embedded.acquire(data_dir) as server, psycopg.connect(server.url) as connection:
        try:
            return [word for (word,) in connection.execute("SELECT word FROM words ORDER BY word")]
        except psycopg.errors.UndefinedTable:
            return None


@pytest.fixture
def home(data_dir: Path) -> Path:
    """Of the cluster of a DATA_DIR into which only root can look."""
    data_dir.parent.mkdir(mode=0o700)
    written(data_dir, "first")
    home = places.home(data_dir)
    assert home.parent == places.SHARED
    return home


def set_aside(home: Path) -> list[Path]:
    return sorted(home.glob("set-aside-*"))


def test_it_is_there_the_next_time(data_dir: Path, home: Path) -> None:
    assert words(data_dir) == ["first"]
    assert set_aside(home) == []


def test_a_data_dir_that_was_removed_does_not_come_back(
    data_dir: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(data_dir)
    assert words(data_dir) is None
    [aside] = set_aside(home)
    assert str(aside) in caplog.text
    written(data_dir, "second")
    assert words(data_dir) == ["second"]
    shutil.move(home / "server", home / "second")  # as the message says
    shutil.move(aside, home / "server")
    shutil.copy(home / "server" / ownership.NAME, data_dir)
    assert words(data_dir) == ["first"]


def test_one_that_is_still_in_use_is_not_set_aside(data_dir: Path, home: Path) -> None:
    with Embedded.acquire(data_dir) as server:
        shutil.rmtree(data_dir)
        with pytest.raises(Unavailable, match="Stop the service that was started there"):
            Embedded.acquire(data_dir)
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT word FROM words").fetchone() == ("first",)
    assert words(data_dir) is None


def test_an_unused_server_is_stopped_before_it_is_set_aside(data_dir: Path, home: Path) -> None:
    server = Embedded.acquire(data_dir)
    os.close(server.lock_fd)  # as if we were killed
    shutil.rmtree(data_dir)
    assert words(data_dir) is None
    assert len(set_aside(home)) == 1


def test_a_start_that_was_cut_off_goes_on_where_it_was(
    data_dir: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(data_dir)

    def make(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("transcription_proxy.db.cluster.Cluster.make", make)
        Embedded.acquire(data_dir)  # the old one is set aside, DATA_DIR has its note, and there is no cluster
    written(data_dir, "second")
    assert words(data_dir) == ["second"]
    assert len(set_aside(home)) == 1


def test_one_from_before_there_were_notes_is_adopted(data_dir: Path, home: Path) -> None:
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
