"""What several sessions came to together."""

from transcription_client.tally import Part, Tally
from transcription_wire import messages as wire


def test_nothing_was_used_before_anything_began() -> None:
    tally = Tally()
    assert (tally.seconds_used, tally.audio_seconds, tally.complete) == (0, 0.0, True)


def test_sessions_are_added_up() -> None:
    tally = Tally([Part("a"), Part("b", 4, 3.5, "service_restart")])
    assert not tally.complete
    tally.record_receipt("a", 8, 7.5, "client_gone")
    assert (tally.seconds_used, tally.audio_seconds, tally.complete) == (12, 11.0, True)
    assert tally.parts[0] == Part("a", 8, 7.5, "client_gone")


def test_a_receipt_is_the_last_sessions() -> None:
    tally = Tally([Part("a", 8, 7.5, "service_restart"), Part("b", 2)])
    tally.record_end(wire.SessionEnd(3, 2.5, "database_away", pending=True))
    assert tally.parts[1] == Part("b", 3, 2.5, "database_away", pending=True)
    assert tally.parts[0] == Part("a", 8, 7.5, "service_restart")


def test_a_receipt_without_a_beginning_counts() -> None:
    tally = Tally()
    tally.record_end(wire.SessionEnd(3, 2.5, "client_stop"))
    assert (tally.seconds_used, tally.last.reason) == (3, "client_stop")


def test_what_is_found_of_another_session_is_not_ours() -> None:
    tally = Tally([Part("a", 8)])
    tally.record_receipt("z", 100, 100.0, "client_stop")
    assert tally.parts == [Part("a", 8)]
