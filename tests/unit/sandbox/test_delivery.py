"""How long the sandbox waits before it sends an event again."""

from transcription_sandbox.delivery import pause


def test_pauses_double_up_to_five_minutes() -> None:
    assert [pause(attempts) for attempts in (1, 2, 3, 9, 10, 1000)] == [1, 2, 4, 256, 300, 300]
