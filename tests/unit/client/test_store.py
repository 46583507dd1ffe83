"""The login on disk: only its owner reads it, and nobody ever reads half of it."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transcription_client.errors import ClientError
from transcription_client.secret_store import folder
from transcription_client.store import Login, Store

LOGIN = Login("https://captions.example.com", "me@example.com", "token", "refresh", 1_800_000_000.5)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "client"


@pytest.fixture
def careless() -> Iterator[None]:
    """A umask that hides nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_login_is_kept(place: Path) -> None:
    Store(place).save(LOGIN)
    assert Store(place).load() == LOGIN


def test_without_a_login_there_is_none(place: Path) -> None:
    assert Store(place).load() is None


@pytest.mark.usefixtures("careless")
def test_only_the_owner_can_read_it(place: Path) -> None:
    store = Store(place)
    store.save(LOGIN)
    with store.locked():
        assert {path.name: mode(path) for path in place.iterdir()} == {"login.json": 0o600, "login.lock": 0o600}
    assert mode(place) == 0o700


@pytest.mark.usefixtures("careless")
def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(place: Path) -> None:
    place.mkdir(parents=True)
    (place / "login.json").touch(0o666)
    Store(place).save(LOGIN)
    assert mode(place / "login.json") == 0o600


@given(st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_that_is_not_ours_is_no_login(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "login.json").write_bytes(content)
    assert Store(tmp_path).load() is None


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        "null",
        '{"server":1,"email":"e","token":"t","refresh_token":"r","expires_at":1}',
        '{"expires_at":"x"',
    ],
)
def test_json_that_is_not_a_login_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "login.json").write_text(content)
    assert Store(tmp_path).load() is None


def test_a_reader_sees_the_old_login_or_the_new_one(place: Path) -> None:
    store, long = Store(place), Login("s" * 50_000, "e", "t", "r", 1.0)
    store.save(LOGIN)
    done = threading.Event()
    seen: list[Login | None] = []

    def read() -> None:
        while not done.is_set():
            seen.append(store.load())

    reader = threading.Thread(target=read)
    reader.start()
    for login in [long, LOGIN] * 100:
        store.save(login)
    done.set()
    reader.join()
    assert seen
    assert all(login in (LOGIN, long) for login in seen)


def test_a_login_that_cannot_be_saved_leaves_nothing_behind(place: Path) -> None:
    (place / "login.json").mkdir(parents=True)
    with pytest.raises(ClientError, match="Can't write to"):
        Store(place).save(LOGIN)
    assert [path.name for path in place.iterdir()] == ["login.json"]


def test_a_forgotten_login_is_gone(place: Path) -> None:
    store = Store(place)
    store.forget()
    store.save(LOGIN)
    store.forget()
    assert store.load() is None


def test_a_second_program_waits_and_gives_up_with_advice(place: Path) -> None:
    with (
        Store(place).locked(),
        pytest.raises(ClientError, match=r"Another program is using .*login\.lock"),
        Store(place, lock_wait=0).locked(),
    ):
        pass
    with Store(place, lock_wait=0).locked():
        pass


def test_an_error_under_the_lock_is_raised_and_releases_it(place: Path) -> None:
    with pytest.raises(ConnectionError), Store(place).locked():
        raise ConnectionError
    with Store(place, lock_wait=0).locked():
        pass


def test_a_lock_file_without_a_holder_delays_no_process(place: Path) -> None:
    place.mkdir(parents=True)
    (place / "login.lock").touch()
    with Store(place, lock_wait=0).locked():
        pass


@pytest.mark.parametrize("operation", ["save", "forget", "lock"])
def test_a_place_that_cannot_be_is_named(tmp_path: Path, operation: str) -> None:
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "client")
    with pytest.raises(ClientError, match=r"Can't write to .*client"):
        match operation:
            case "save":
                store.save(LOGIN)
            case "forget":
                store.forget()
            case _:
                with store.locked():
                    pass


def test_the_place_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRANSCRIPTION_CONFIG_DIR", str(tmp_path))
    assert folder() == tmp_path
    Store().save(LOGIN)
    assert (tmp_path / "login.json").exists()


def test_else_it_is_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRANSCRIPTION_CONFIG_DIR", raising=False)
    assert folder().name == "transcription-client"
    assert folder().is_absolute()
