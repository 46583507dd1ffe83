"""Ids of sessions, short enough to type."""

from transcription_proxy.cli.sessions import short_ids


def test_eight_characters_where_they_tell_all_apart() -> None:
    assert short_ids(["5f0c1b1e-5b1c-4a37", "6f0c1b1e-5b1c-4a37"]) == ["5f0c1b1e", "6f0c1b1e"]
    assert short_ids([]) == []


def test_more_where_eight_do_not() -> None:
    assert short_ids(["5f0c1b1e-5b1c-4a37", "5f0c1b1e-5b2c-4a37", "1"]) == ["5f0c1b1e-5b1", "5f0c1b1e-5b2", "1"]
