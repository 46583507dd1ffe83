"""The page of settings: names and comments from .env.example, what each may be from the checks in config.py.

A test keeps .env.example to the names that config.py reads, and to its defaults."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.manual.markdown import code, page, table
from transcription_proxy.config import load
from transcription_proxy.errors import ConfigError

ROOT: Final = Path(__file__).parents[2]
INTRODUCTION: Final = (
    "Environment variables, or the same names in a file `.env`: in the project's folder, or where the program was "
    "installed from a wheel, in `~/.local/share/transcription-proxy`. The environment wins. With nothing set, "
    "everything works. The service reports all mistakes at once when it starts; `doctor` tries each part."
)
IMPOSSIBLE: Final = "\x01 impossible"
"""A value that no setting with a check accepts."""


def render() -> str:
    allowed = _allowed()
    sections = []
    for title, comment, settings in sections_of((ROOT / ".env.example").read_text()):
        rows = [
            [code(name), value and code(value), allowed.get(name, ""), _meaning(name, text)]
            for name, value, text in settings
        ]
        parts = (f"## {title}", comment, table(["Name", "Default", "Must be", "Meaning"], rows))
        sections.append("\n\n".join(part for part in parts if part))
    return page("Configuration", INTRODUCTION, *sections)


def sections_of(example: str) -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
    """Yield title, remark and settings of each section. A setting is its name, its default and its comment."""
    for section in re.split(r"^# --- ", example, flags=re.MULTILINE)[1:]:
        head, _, body = section.partition("\n")
        title, _, remark = head.partition(":")
        settings: list[tuple[str, str, str]] = []
        comment: list[str] = []
        loose: list[str] = []
        for line in body.splitlines():
            if setting := re.fullmatch(r"(#?)([A-Z_]+)=(.*)", line):
                settings.append((setting[2], "" if setting[1] else setting[3], " ".join(comment)))
                comment = []
            elif line.startswith("#"):
                comment.append(line.removeprefix("#").strip())
            elif comment:
                loose += comment
                comment = []
        yield title, " ".join(map(_sentence, filter(None, [remark.strip(), " ".join(loose)]))), settings


def _meaning(name: str, comment: str) -> str:
    """Return the comment. The file of a secret needs none."""
    return comment or (f"A file that holds {code(name.removesuffix('_FILE'))}" if name.endswith("_FILE") else "")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].removesuffix('.')}."


def _allowed() -> dict[str, str]:
    """Return what each setting must be, in the words of the error for a wrong value."""
    names = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    found = {}
    for name in names:
        try:
            load({"JWT_SECRET": "not used", "DATA_DIR": "/nowhere", name: IMPOSSIBLE})
        except ConfigError as error:
            for problem in error.problems:
                if match := re.match(rf"{name} must be (.+?)(, not .*)?$", problem, re.DOTALL):
                    found[name] = match[1]
    return found
