"""Where settings come from: the environment, a file, a default, and the secret that is generated."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.settings import BASE, GOOD, PRODUCTION, SECRET, problems, settings
from transcription_proxy.config import environment, load, project_folder


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process whose environment holds nothing of ours."""
    for name in list(os.environ):
        if name in PRODUCTION or name in {each for each, *_ in GOOD}:
            monkeypatch.delenv(name)
    return monkeypatch


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    tmp_path: Path, clean: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("# a comment\nPORT=4000\nexport WORKERS='2'\nHOST=\nLOG_LEVEL=debug\nPLAIN\n")
    clean.setenv("PORT", "5000")
    clean.setenv("LOG_LEVEL", "")
    found = load({**environment(tmp_path), **BASE})
    assert (found.port, found.workers, found.host) == (5000, 2, "127.0.0.1")
    assert found.log_level == "info"  # set to nothing, it unsets what the file sets


def test_without_a_file_there_is_the_environment(tmp_path: Path, clean: pytest.MonkeyPatch) -> None:
    clean.setenv("PORT", "5000")
    assert environment(tmp_path) == dict(os.environ)


def test_what_is_given_to_nobody_comes_from_environment_and_file(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("JWT_SECRET", SECRET)
    clean.setenv("APP_ENV", "development")
    clean.setenv("PORT", "5001")
    assert load().port == 5001


def test_relative_paths_of_the_file_begin_in_its_own_folder(tmp_path: Path, clean: pytest.MonkeyPatch) -> None:
    """So that every command finds the same data from any folder."""
    (tmp_path / "here").mkdir()
    for name in ("rates.toml", "packages.toml"):
        (tmp_path / name).touch()
    (tmp_path / ".env").write_text("DATA_DIR=data\nRATES_FILE=./rates.toml\nPACKAGES_FILE=packages.toml\n")
    clean.chdir(tmp_path / "here")
    found = load({**environment(tmp_path), **BASE})
    assert (found.data_dir, found.rates_file) == (tmp_path / "data", tmp_path / "rates.toml")
    assert found.packages_file == tmp_path / "packages.toml"
    (tmp_path / ".env").write_text("DATA_DIR=/srv/captions\n")
    assert load({**environment(tmp_path), **BASE}).data_dir == Path("/srv/captions")
    clean.setenv("DATA_DIR", "data")
    assert load({**environment(tmp_path), **BASE}).data_dir == tmp_path / "here/data"  # as the shell means it


def test_a_home_folder_may_be_written_short(tmp_path: Path, clean: pytest.MonkeyPatch) -> None:
    clean.setenv("HOME", "/home/ann")
    (tmp_path / ".env").write_text("DATA_DIR=~/captions\n")
    assert load({**environment(tmp_path), **BASE}).data_dir == Path("/home/ann/captions")
    assert settings(DATA_DIR="~/other").data_dir == Path("/home/ann/other")


def test_a_generated_secret_is_long_stable_and_nobody_elses(tmp_path: Path) -> None:
    data_dir = tmp_path / "not" / "there"
    first = load({"DATA_DIR": str(data_dir)}).jwt_secret
    assert len(first.encode()) >= 32
    assert load({"DATA_DIR": str(data_dir)}).jwt_secret == first
    assert load({"DATA_DIR": str(tmp_path / "other")}).jwt_secret != first
    assert [path.name for path in data_dir.iterdir()] == ["jwt_secret"]
    assert stat.S_IMODE((data_dir / "jwt_secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


def test_one_that_is_given_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    assert settings(DATA_DIR=str(tmp_path / "data")).jwt_secret == SECRET
    assert not (tmp_path / "data").exists()


def test_processes_that_start_at_once_agree_on_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load({"DATA_DIR": str(tmp_path / "data")}).jwt_secret, range(40)))
    assert len(set(found)) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["jwt_secret"]


def test_a_secret_of_another_process_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come between our look and our write."""
    real = os.link

    def link(source: str, target: Path) -> None:
        target.write_text("theirs")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    assert load({"DATA_DIR": str(tmp_path)}).jwt_secret == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["jwt_secret"]


def test_a_data_folder_that_cannot_be_is_one_problem_among_others(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = problems({"DATA_DIR": str(tmp_path / "file"), "PORT": "x", "WORKERS": "x"})
    assert [problem.split()[0] for problem in found] == ["PORT", "DATA_DIR", "WORKERS"]
    assert str(tmp_path / "file") in found[1]


def test_a_checkout_keeps_its_settings_and_data_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    assert project_folder(tmp_path / "src", {"XDG_DATA_HOME": "/elsewhere"}) == tmp_path


def test_an_installed_program_keeps_them_with_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "lib/site-packages"
    assert project_folder(packages, {"XDG_DATA_HOME": "/data"}) == Path("/data/transcription-proxy")
    monkeypatch.setenv("HOME", "/home/ann")
    assert project_folder(packages, {}) == Path("/home/ann/.local/share/transcription-proxy")


def test_a_user_without_a_home_keeps_them_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.chdir(tmp_path)
    assert project_folder(Path("/lib/site-packages"), {}) == tmp_path / "transcription-proxy"
