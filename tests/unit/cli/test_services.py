"""Who gave a command, for the books."""

import os
import pwd

import pytest

from transcription_proxy.cli.services import actor


def test_the_operator_goes_by_the_name_of_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert actor() == "ann"


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name_goes_by_the_number(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """As in a container that runs under any number; which error it is depends on Python."""

    def nameless(_uid: int) -> None:
        raise error

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nameless)
    assert actor() == f"uid {os.getuid()}"
