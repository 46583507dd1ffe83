"""A program without the packages of its extra says which one to install."""

import sys

import pytest

from transcription_wire.extras import end_without
from transcription_wire.version import VERSION


def test_a_command_ends_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["transcription-proxy", "serve"])
    with pytest.raises(SystemExit) as end:
        end_without("server", "transcription-proxy", ModuleNotFoundError(name="dotenv"))
    assert end.value.code == ('transcription-proxy needs more packages. Run pip install "transcription-proxy[server]".')


def test_the_version_needs_no_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["transcription-client", "--version"])
    with pytest.raises(SystemExit) as end:
        end_without("desktop", "transcription-client", ModuleNotFoundError(name="av"))
    assert end.value.code == 0
    assert capsys.readouterr().out == f"transcription-client {VERSION}\n"


def test_a_module_of_ours_that_is_missing_is_a_fault() -> None:
    with pytest.raises(ModuleNotFoundError):
        end_without("server", "transcription-proxy", ModuleNotFoundError(name="transcription_proxy.nothing"))
