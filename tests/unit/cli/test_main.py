"""The command line itself: help, wrong commands, and how errors leave it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from transcription_proxy.cli.main import app, main

Run = tuple[int | str | None, str, str]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No command gets as far as a database."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("JWT_SECRET", "x" * 32)
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> Run:
    """Status (or the sentence that stands for 1), standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["transcription-proxy", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    return left.value.code, said.out, said.err


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_the_operators_commands_are_there() -> None:
    assert set(COMMANDS) >= {
        ("serve",),
        ("migrate",),
        ("backup",),
        ("restore",),
        ("demo",),
        ("doctor",),
        ("healthcheck",),
        ("engine",),
        ("pricing",),
        ("report",),
        ("user", "list"),
        ("user", "show"),
        ("user", "block"),
        ("user", "unblock"),
        ("user", "create-many"),
        ("credits", "grant"),
        ("session", "list"),
        ("session", "end"),
        ("ledger", "audit"),
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: tuple[str, ...]
) -> None:
    status, out, err = run(monkeypatch, capsys, *path, "--help")
    assert (status, err) == (0, "")
    example = " ".join(out.split()).partition("Example: ")[2]
    assert f"transcription-proxy {' '.join(path)}" in example


def test_what_a_script_wants_it_gets_as_json() -> None:
    json = {path for path, command in COMMANDS.items() if any("--json" in each.opts for each in command.params)}
    assert json >= {
        ("user", "list"),
        ("user", "show"),
        ("user", "create-many"),
        ("credits", "grant"),
        ("session", "list"),
        ("ledger", "audit"),
        ("doctor",),
        ("pricing",),
        ("report",),
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], ["nonsense", "transcription-proxy --help"]),
        (["user", "nonsense"], ["nonsense", "transcription-proxy user --help"]),
        (["user", "show"], ["EMAIL", "user show --help"]),
        (["user", "show", "a@example.org", "b"], ["b", "user show --help"]),
        (["user", "list", "--nonsense"], ["--nonsense", "user list --help"]),
        (["user", "list", "--limit", "0"], ["--limit", "user list --help"]),
        (["user", "list", "--limit"], ["--limit"]),
        (["user", "create-many", "0", "--seconds", "5"], ["count"]),
        (["user", "create-many", "100001", "--seconds", "5"], ["count"]),
        (["user", "create-many", "5", "--seconds", "-1"], ["--seconds"]),
        (["user", "create-many", "5"], ["--seconds"]),
        (["credits", "grant", "a@example.org", "many", "--reason", "x"], ["seconds"]),
        (["credits", "grant", "a@example.org", "5"], ["--reason"]),
        (["report", "--since", "yesterday"], ["12h, 7d or 2w"]),
        (["report", "--since", "0d"], ["12h, 7d or 2w"]),
        (["pricing", "--suggest"], ["--suggest"]),
        (["session", "end", "nonsense"], ["ID", "session end --help"]),
        (["engine", "--port", "0"], ["--port"]),
    ],
)
def test_a_wrong_command_is_put_right_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: list[str]
) -> None:
    status, out, err = run(monkeypatch, capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert [word for word in (*said, ". See transcription-proxy") if word not in err] == []


@pytest.mark.parametrize("arguments", [[], ["user"], ["ledger"]])
def test_a_command_that_was_only_begun_is_helped_and_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    status, out, err = run(monkeypatch, capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("Usage: transcription-proxy")
    assert "Commands:" in err


@pytest.mark.parametrize("reason", ["", "  ", "\udcff", "two\nlines"])
def test_a_grant_needs_a_reason_that_can_be_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    status, out, _ = run(monkeypatch, capsys, "credits", "grant", "a@example.org", "5", "--reason", reason)
    assert str(status).startswith("Give a reason")
    assert out == ""


def test_a_grant_of_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(monkeypatch, capsys, "credits", "grant", "a@example.org", "0", "--reason", "a gift")
    assert str(status).startswith("0 seconds change nothing")
    assert out == ""


def test_every_mistake_in_the_settings_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("WORKERS", "0")
    status, _, _ = run(monkeypatch, capsys, "user", "list")
    assert [line.split()[0] for line in str(status).splitlines()] == ["PORT", "WORKERS"]


@pytest.mark.parametrize("arguments", [["user", "list"], ["migrate"], ["ledger", "audit", "--json"]])
def test_a_database_that_is_away_is_one_sentence_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/none")
    status, out, _ = run(monkeypatch, capsys, *arguments)
    assert "Check DATABASE_URL" in str(status)
    assert "hunter2" not in str(status)
    assert "\n" not in str(status)
    assert out == ""


def test_a_data_folder_that_cannot_be_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "file" / "data"))
    monkeypatch.setenv("DATABASE_URL", "")
    status, _, _ = run(monkeypatch, capsys, "user", "list")
    assert "free space of DATA_DIR" in str(status)
    assert "\n" not in str(status)
