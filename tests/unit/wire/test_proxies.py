"""Which proxy a connection takes, whatever the environment says."""

import pytest

from transcription_wire.proxies import UnusableProxy, choose, named

PROXY = "http://proxy.example.org:3128"


@pytest.mark.parametrize(
    ("url", "env", "proxy"),
    [
        ("https://api.stripe.com", {}, None),
        ("https://api.stripe.com", {"HTTPS_PROXY": PROXY}, PROXY),
        ("wss://api.deepgram.com", {"https_proxy": PROXY}, PROXY),
        ("wss://api.deepgram.com", {"HTTP_PROXY": PROXY}, None),
        ("http://captions.example.org", {"HTTP_PROXY": PROXY}, PROXY),
        ("ws://captions.example.org", {"ALL_PROXY": PROXY}, PROXY),
        ("https://x", {"ALL_PROXY": "http://other", "HTTPS_PROXY": PROXY}, PROXY),
        ("https://x", {"HTTPS_PROXY": "http://other", "https_proxy": PROXY}, PROXY),
        ("https://x", {"HTTPS_PROXY": PROXY, "https_proxy": ""}, None),  # curl: an empty lower-case name unsets it
        ("https://x", {"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128"),
        ("https://x", {"HTTPS_PROXY": "http://me:pass@proxy"}, "http://me:pass@proxy"),
        ("http://127.0.0.1:3000", {"ALL_PROXY": PROXY}, None),
        ("ws://[::1]:3000", {"ALL_PROXY": PROXY}, None),
        ("http://localhost", {"ALL_PROXY": "socks://x"}, None),
        ("https://x", {"TRAVIS_APT_PROXY": PROXY}, None),
    ],
)
def test_a_connection_takes_the_proxy_of_its_scheme(url: str, env: dict[str, str], proxy: str | None) -> None:
    assert choose(url, named(env)) == proxy


@pytest.mark.parametrize(
    ("exceptions", "exempt"),
    [
        ("*", True),
        ("api.stripe.com", True),
        ("STRIPE.com", True),
        (".stripe.com", True),
        ("*.stripe.com", True),
        (" other , api.stripe.com:443", True),
        ("api.stripe.com:80", False),
        ("ripe.com", False),
        ("com.example", False),
        (",", False),
        ("", False),
    ],
)
def test_what_no_proxy_names_is_reached_directly(exceptions: str, exempt: bool) -> None:
    found = choose("https://api.stripe.com", named({"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions}))
    assert (found is None) == exempt


@pytest.mark.parametrize("value", ["socks://me:hunter2@x:1", "socks5://x:1", "ftp://x", "http://", "http://x:0", "://"])
def test_a_proxy_that_cannot_be_used_is_one_sentence_without_its_password(value: str) -> None:
    with pytest.raises(UnusableProxy, match=r"^ALL_PROXY .* api\.stripe\.com .*NO_PROXY") as told:
        choose("https://api.stripe.com", named({"ALL_PROXY": value}))
    assert "hunter2" not in str(told.value)


def test_a_caller_may_know_more_kinds_of_proxies() -> None:
    assert choose("wss://x", {"all": "socks5://y:1"}, ("http", "socks5")) == "socks5://y:1"
