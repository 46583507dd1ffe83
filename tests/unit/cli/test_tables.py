"""How commands print."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest

from transcription_proxy.cli.tables import one_line, print_json, print_table

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"


@dataclass
class Row:
    id: UUID
    at: datetime | None


def test_json_is_one_line_of_plain_values(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([Row(UUID(int=7), NOON), Row(UUID(int=8), None), {"colour": Colour.RED, "word": "é\n"}])
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == [
        {"id": str(UUID(int=7)), "at": "2026-11-23T12:00:00+00:00"},
        {"id": str(UUID(int=8)), "at": None},
        {"colour": "red", "word": "é\n"},
    ]


def test_a_table_shows_whole_cells_and_moments_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    berlin = NOON.astimezone(timezone(timedelta(hours=1)))
    rows: list[list[Any]] = [["x" * 90, berlin, None], [5, "[bold]not markup", "last"]]
    print_table(("One", "Two", ""), rows, "Nothing.")
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["One", "Two"]
    assert first.split() == ["x" * 90, "2026-11-23", "12:00:00", "UTC", "-"]
    assert second.split() == ["5", "[bold]not", "markup", "last"]


def test_columns_without_a_name_have_no_head(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("", ""), [("email", "a@example.org")], "Nothing.")
    assert capsys.readouterr().out.split() == ["email", "a@example.org"]


def test_no_rows_are_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("One",), [], "There are none.")
    assert capsys.readouterr().out == "There are none.\n"


def test_an_error_is_said_in_one_line() -> None:
    assert one_line(ValueError("it failed:\n\tIs it there?\n")) == "it failed: Is it there?"


def test_a_file_has_no_escape_sequences_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_table(("A",), [("b",)], "")
    assert capsys.readouterr().out.split() == ["A", "b"]
