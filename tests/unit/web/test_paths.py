"""What logs show of a path."""

import pytest

from transcription_proxy.web.paths import logged_path

ID = "0b9d1c2e-8a4f-4c67-9f5e-1d2c3b4a5f60"


@pytest.mark.parametrize(
    "path",
    ["", "/", "/account/sessions.csv", f"/account/sessions/{ID}", "/v1/listen", "//v2//listen", "/.well-known/a-b"],
)
def test_words_and_ids_are_shown(path: str) -> None:
    assert logged_path({"raw_path": path.encode()}) == path


@pytest.mark.parametrize(
    "segment",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
        "tpk_0123456789abcdef",
        "hunter2",
        "whsec_of_somebody",
        "correct%20horse",
        "\xff",
        "a" * 33,
        "a\tb",
    ],
)
def test_any_other_segment_is_hidden(segment: str) -> None:
    path = f"/account/keys/{segment}/end".encode("latin-1")
    assert logged_path({"raw_path": path}) == "/account/keys/*/end"


def test_a_path_is_cut() -> None:
    assert logged_path({"raw_path": b"/a" * 1000}) == "/a" * 100
    assert logged_path({}) == ""
    assert logged_path({"raw_path": b"/x" * 200 + b"/" + b"secret" * 20})[-2:] == "/x"
    assert logged_path({"raw_path": b"/0" * 199 + b"/secret" + b"9" * 20}) == ("/*" * 200)[:200]
