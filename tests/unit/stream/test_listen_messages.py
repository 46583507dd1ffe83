"""Messages of Deepgram clients and upstreams that are not what they should be."""

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transcription_proxy.stream import deepgram, listen_messages
from transcription_proxy.stream.listen_messages import Control

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "keyterms"]), inner),
)


@given(st.binary() | JSON.map(msgspec.json.encode))
@example(b"[" * 100_000)
@example(b'{"type":"Configure","keyterms":["\\ud800"]}')
@example(b'{"type":"Configure","keyterms":' + b"9" * 5_000 + b"}")
def test_any_text_is_read_as_far_as_possible(text: bytes) -> None:
    control = listen_messages.parse_control(text)
    assert isinstance(control, Control)
    assert control.keyterms is None or all(isinstance(term, str) for term in control.keyterms)
    assert listen_messages.parse(text) is not None


@pytest.mark.parametrize("keyterms", ["a", 5, {"a": 1}, [5], [None], [["a"]], None])
def test_keyterms_that_are_no_list_of_terms_are_none(keyterms: Any) -> None:
    text = msgspec.json.encode({"type": "Configure", "keyterms": keyterms})
    assert listen_messages.parse_control(text).keyterms is None


def test_an_unknown_message_of_the_upstream_is_unknown() -> None:
    assert isinstance(listen_messages.parse(b'{"type":"Never"}'), deepgram.Unknown)
