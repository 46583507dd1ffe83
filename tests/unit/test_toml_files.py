"""TOML files: read into dataclasses, or every mistake in one sentence each."""

from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from msgspec import Meta

from transcription_proxy import toml_files
from transcription_proxy.errors import ConfigError


@dataclass(frozen=True)
class Thing:
    name: Annotated[str, Meta(min_length=1, description="text")]
    count: Annotated[int, Meta(ge=1, le=9, description="a whole number, 1 to 9")]
    note: Any = ""
    parts: Annotated[dict[str, Any], Meta(description="a table")] = field(default_factory=dict)


def mistakes(text: str) -> list[str]:
    problems: list[str] = []
    assert toml_files.read(Thing, toml_files.parse(text, "the file"), "thing 1", problems) is None
    return problems


def test_a_table_is_read_with_its_defaults() -> None:
    problems: list[str] = []
    table = toml_files.parse('name = "a"\ncount = 9', "the file")
    assert toml_files.read(Thing, table, "thing 1", problems) == Thing("a", 9)
    assert problems == []


def test_every_mistake_is_one_sentence() -> None:
    assert mistakes('name = ""\ncount = 10\nparts = 1\nfree = 1\nall = 2') == [
        "thing 1 has an unknown key 'all'",
        "thing 1 has an unknown key 'free'",
        "thing 1: name must be text",
        "thing 1: count must be a whole number, 1 to 9",
        "thing 1: parts must be a table",
    ]


@pytest.mark.parametrize("value", ["0", "1.0", "true", '"1"', "[]", "1e400", "2026-11-29"])
def test_a_value_of_another_type_does_not_fit(value: str) -> None:
    assert mistakes(f'name = "a"\ncount = {value}') == ["thing 1: count must be a whole number, 1 to 9"]


def test_missing_values_are_mistakes() -> None:
    assert mistakes("") == ["thing 1: name must be text", "thing 1: count must be a whole number, 1 to 9"]


def test_what_is_not_a_table_says_what_the_table_needs() -> None:
    problems: list[str] = []
    assert toml_files.read(Thing, 3, "thing 1", problems) is None
    assert problems == ["thing 1 must be a table with name and count"]


@pytest.mark.parametrize("text", ["[", "a = " + "[" * 5000, "a = " + "9" * 5000])
def test_text_that_is_not_toml_is_one_mistake(text: str) -> None:
    with pytest.raises(ConfigError, match="the file isn't valid TOML"):
        toml_files.parse(text, "the file")
