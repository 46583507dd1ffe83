"""Messages between workers, and the limit of NOTIFY."""

from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.overlay.messages import MAX_TEXT_CHARACTERS, Line, shorten
from transcription_proxy.overlay.worker_messages import (
    Announcement,
    CountsWanted,
    Forwarded,
    KeyRenewed,
    PageCount,
    decode_announcement,
    decode_forwarded,
    encode,
)

SESSION = "8c6f2f0e-0000-4000-8000-000000000001"
USER, LIFE = UUID(int=1), UUID(int=2)
NOTIFY_BYTES = 7999
"""The longest payload (PostgreSQL, NOTIFY)."""


@pytest.mark.parametrize("character", ["x", " ", "\0", "ä", "字", "😀", '"', "\\", "\n"])
def test_a_shortened_text_fits_into_a_payload(character: str) -> None:
    for length in (MAX_TEXT_CHARACTERS, MAX_TEXT_CHARACTERS + 1, 500_000):
        line = Line(SESSION, 1.5, shorten(character * length), True, 7)
        kept = character * min(length, MAX_TEXT_CHARACTERS)
        assert line.text == (kept if length == MAX_TEXT_CHARACTERS else kept[:-1] + "…")
        assert len(encode(Forwarded(USER, line)).encode()) <= NOTIFY_BYTES


@given(st.text(max_size=3000), st.floats(0, 1e9), st.booleans())
def test_a_line_arrives_as_it_was_sent(text: str, start: float, is_final: bool) -> None:
    line = Line(SESSION, start, shorten(text), is_final)
    payload = encode(Forwarded(USER, line))
    assert "\0" not in payload
    assert len(payload.encode()) <= NOTIFY_BYTES
    assert decode_forwarded(payload) == Forwarded(USER, line)


@pytest.mark.parametrize("announcement", [PageCount(LIFE, USER, 3), CountsWanted(), KeyRenewed(USER, 2)])
def test_an_announcement_arrives_as_it_was_sent(announcement: Announcement) -> None:
    assert decode_announcement(encode(announcement)) == announcement


@pytest.mark.parametrize(
    ("announcement", "payload"),
    [
        (PageCount(LIFE, USER, 3), f'{{"type":"watch","life":"{LIFE}","user":"{USER}","watchers":3}}'),
        (CountsWanted(), '{"type":"ask"}'),
        (KeyRenewed(USER, 2), f'{{"type":"renewed","user":"{USER}","version":2}}'),
    ],
)
def test_payloads_are_those_of_earlier_versions(announcement: Announcement, payload: str) -> None:
    assert encode(announcement) == payload


@pytest.mark.parametrize("payload", ["", "{", "[]", '{"type":"other"}', '{"type":"watch","life":"x"}', "null"])
def test_other_payloads_are_refused(payload: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_announcement(payload)
    with pytest.raises(msgspec.DecodeError):
        decode_forwarded(payload)
