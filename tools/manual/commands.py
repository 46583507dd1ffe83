"""The page of commands: what `--help` prints, for each command of both programs."""

import os
from collections.abc import Iterator
from typing import Any, Final
from unittest import mock

import typer.main
from typer.testing import CliRunner

from tools.manual.markdown import code, page
from transcription_client.main import app as client
from transcription_proxy.cli.main import app as proxy

INTRODUCTION: Final = "What `--help` prints. Every command exits with 0 on success only. Errors go to standard error."
PROGRAMS: Final = {"transcription-proxy": proxy, "transcription-client": client}
WIDTH: Final = "96"
"""Columns of the terminal."""


def render() -> str:
    sections = []
    for program, app in PROGRAMS.items():
        commands = _commands(typer.main.get_command(app), ())
        sections.append(f"## {code(program)}\n\n{_help(program, app, ())}")
        sections += [f"### {code(' '.join((program, *names)))}\n\n{_help(program, app, names)}" for names in commands]
    return page("Commands", INTRODUCTION, *sections)


def _commands(command: Any, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the names of each command below `command`; of a group only its commands."""
    for name, each in getattr(command, "commands", {}).items():
        if hasattr(each, "commands"):
            yield from _commands(each, (*names, name))
        else:
            yield (*names, name)


def _help(program: str, app: typer.Typer, names: tuple[str, ...]) -> str:
    with mock.patch.dict(os.environ, {"COLUMNS": WIDTH, "NO_COLOR": "1"}):
        shown = CliRunner().invoke(app, [*names, "--help"], prog_name=program)
    assert shown.exit_code == 0, shown.output
    return f"```text\n{shown.output.strip()}\n```"
