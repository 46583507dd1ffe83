"""Which URLs are taken, and what becomes of them."""

from collections.abc import Callable

import pytest

from transcription_proxy import urls


@pytest.mark.parametrize(
    ("value", "dialled"),
    [
        ("wss://api.deepgram.com", "wss://api.deepgram.com"),
        ("https://api.deepgram.com/", "wss://api.deepgram.com"),
        ("http://127.0.0.1:9", "ws://127.0.0.1:9"),
        ("wss://api.deepgram.com/v1/listen", "wss://api.deepgram.com"),
        ("https://api.deepgram.com/v1/listen/", "wss://api.deepgram.com"),
        ("https://api.deepgram.com/v1", "wss://api.deepgram.com"),
        ("wss://x/v2/listen", "wss://x"),
        ("wss://x/prefix/v1/listen", "wss://x/prefix"),
        ("wss://x/prefix", "wss://x/prefix"),
        ("wss://x/v1/prefix", "wss://x/v1/prefix"),
        ("WSS://x", "wss://x"),
        ("ws://[::1]:9/v1", "ws://[::1]:9"),
    ],
)
def test_an_upstream_is_dialled_by_websocket_and_its_path_is_added_once(value: str, dialled: str) -> None:
    assert urls.upstream(value) == dialled


@pytest.mark.parametrize(
    ("value", "asked"),
    [("https://x/", "https://x"), ("https://x/v1/", "https://x"), ("http://x/prefix", "http://x/prefix")],
)
def test_a_stripe_is_asked_below_its_prefix(value: str, asked: str) -> None:
    assert urls.stripe(value) == asked


BASES = [urls.upstream, urls.stripe, urls.site]


@pytest.mark.parametrize("parse", BASES)
@pytest.mark.parametrize(
    "value",
    [
        *("", "x", "//x", "ftp://x", "https://", "https://:80", "https://x:port", "https://x:0", "https://x:70000"),
        *("https://me@x", "https://me:pass@x", "https://x?a", "https://x/#a", "https://x?", "https://[x"),
        *("https://x y", "https://x\n", "https://x\x00"),
    ],
)
def test_a_base_that_is_no_base_is_refused(parse: Callable[[str], str], value: str) -> None:
    with pytest.raises(ValueError):
        parse(value)


def test_a_site_has_no_path_of_its_own() -> None:
    assert urls.site("https://x:8443/") == "https://x:8443"
    for value in ("https://x/captions", "https://x/captions/"):
        with pytest.raises(ValueError):
            urls.site(value)


def test_a_link_stays_as_it_is() -> None:
    assert urls.link("https://x/terms/?a=1#b", "https", "http") == "https://x/terms/?a=1#b"
    with pytest.raises(ValueError):
        urls.link("javascript:alert(1)", "https", "http")


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://me:pass@db:5432/captions",
        "postgresql://one:1,two:2/db",
        "postgres:///db?host=/run/pg",
        "postgresql://%2Frun%2Fpg/db",
        "postgresql://me:pa%20s#s@[::1]:5432/db?sslmode=require",
    ],
)
def test_a_database_may_be_several_hosts_or_a_socket(value: str) -> None:
    assert urls.database(value) == value


@pytest.mark.parametrize(
    "value",
    [
        *("mysql://x/db", "postgresql:///db", "postgresql://", "x"),
        *("postgresql://me:pa%zz@x/db", "postgresql://me:pa/ss@x/db", "postgresql://me:p@ss@x/db"),
    ],
)
def test_a_password_that_is_not_escaped_does_not_get_as_far_as_an_error_of_libpq(value: str) -> None:
    with pytest.raises(ValueError):
        urls.database(value)
