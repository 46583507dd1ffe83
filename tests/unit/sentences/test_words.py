"""Words that we do not use, looked for in every text that people read."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from tests.unit.sentences.literals import SOURCE, STATIC, Literal, javascript, python
from transcription_client.main import app as client
from transcription_proxy.cli.main import app as service

ROOT: Final = SOURCE.parent
SERVICE: Final = SOURCE / "transcription_proxy"
LIKE_STRIPE: Final = ("params", "refusals", "api", "checkout", "refunds", "disputes", "expand")
"""Modules of the sandbox that answer with Stripe's own words."""
UNWANTED: Final = re.compile(
    r"""
    e-mail | \bcolour | \bcentre[ds]?\b | recognis | \d[ ]% | \bwhilst\b                         # spelling
    | \b(?:whoever|anew|sought|reckon\w*|dearer|heed\w*|shall|mourn\w*)\b               # words of another time
    | \b(?:is|are|was|were)[ ](?:to[ ]be|told|taken[ ]up|void)\b | \btaken[ ]up[ ]again\b     # nobody says so
    | \bwithout[ ]a[ ]word\b | \bof[ ](?:ours|yours)\b | \bthe[ ]system's[ ]choice\b
    | \bat[ ]the[ ](?:present|moment)\b | \bany[ ]more\b | \bput[ ](?:that[ ])?right\b
    | \bcannot\b | \bdoes[ ]not\b | \bis[ ]not[ ](?:any|valid)\b | \bgo(?:es)?[ ]on\b  # contractions
    | \blook[ ]into\b | \blines[ ]are[ ]taken\b | \bcapital[ ]letters\b | \bread[ ]along\b
    | \b(?:of|s[ ]of)[ ]sound\b | \bsays[ ]no\b | \bthrow-away\b | \bthe[ ]shop\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
ATTRIBUTES: Final = ("aria-label", "alt", "title", "placeholder", "data-notice")


class Page(HTMLParser):
    """The texts of a page: what is seen, and what is read aloud."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.texts: list[Literal] = []
        self._name = path.name
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = ATTRIBUTES if tag != "meta" else ("content",)
        self.texts += [self._literal(value) for name, value in attrs if name in named and value]

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(self._literal(" ".join(data.split())))

    def _literal(self, text: str) -> Literal:
        return Literal(f"{self._name}:{self.getpos()[0]}", text)


def helps(app: typer.Typer, name: str) -> Iterator[Literal]:
    """The help of a program and of all its commands, on 80 columns."""
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        words = waiting.pop()
        shown = CliRunner().invoke(app, [*words, "--help"], prog_name=name, env={"COLUMNS": "80"}).output
        yield Literal(" ".join((name, *words)), shown)
        command: Any = get_command(app)
        for word in words:
            command = command.commands[word]
        waiting += [(*words, word) for word in getattr(command, "commands", {})]


def programs() -> list[Literal]:
    return [*helps(service, "transcription-proxy"), *helps(client, "transcription-client")]


def spoken() -> Iterator[Literal]:
    for path in (SERVICE / "web" / "html").glob("*.html"):
        yield from Page(path).texts
    for path in STATIC.glob("*.js"):
        yield from javascript(path)
    for path in SOURCE.rglob("*.py"):
        if path.parent.name != "transcription_sandbox" or path.stem not in LIKE_STRIPE:
            yield from python(path)
    yield from programs()
    opening = (ROOT / "README.md").read_text().partition("\n## ")[0]
    yield Literal("README.md", " ".join(opening.split()))


def test_none_of_them_is_in_what_people_read() -> None:
    found = [(each.place, unwanted[0], each.text) for each in spoken() for unwanted in UNWANTED.finditer(each.text)]
    assert found == []


@pytest.mark.parametrize(
    "text",
    ["An e-mail", "It cannot be reached.", "100 %", "Whoever has it", "They never stop without a word", "3 s of sound"],
)
def test_they_are_found(text: str) -> None:
    assert UNWANTED.search(text)


@pytest.mark.parametrize("text", ["An email", "Can't reach it.", "100%", "No sound?", "Try again in a moment."])
def test_the_good_ones_are_not(text: str) -> None:
    assert not UNWANTED.search(text)


@pytest.mark.parametrize("program", programs(), ids=lambda program: program.place)
def test_a_help_fits_80_columns_with_no_summary_cut_and_no_example_broken(program: Literal) -> None:
    lines = program.text.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines[1:] if line.endswith("...")]
    assert "Commands:" in program.text or "Example" in program.text
    for line, following in pairwise([*lines, ""]):
        whole = program.place not in line or line.startswith("Usage:") or following.strip() == ""
        assert whole or program.place in following, f"broken: {line}"
