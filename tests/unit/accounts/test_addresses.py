"""E-mail addresses: which are taken, and how they are stored."""

import pytest

from transcription_proxy.accounts.addresses import LONGEST, normal
from transcription_proxy.errors import Refusal


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("ann@example.org", "ann@example.org"),
        ("Ann.Bee@Example.ORG", "ann.bee@example.org"),
        (" \tann@example.org\r\n", "ann@example.org"),
        ("o'neil+tag_%{x}@sub.ex-ample.co.uk", "o'neil+tag_%{x}@sub.ex-ample.co.uk"),
        ("1@2.3", "1@2.3"),
        (f"a@{'b' * 63}.org", f"a@{'b' * 63}.org"),
        ("a@b." + "c" * (LONGEST - 250) + (".d" * 123), "a@b." + "c" * (LONGEST - 250) + (".d" * 123)),
    ],
)
def test_an_address_is_stored_stripped_and_in_lower_case(given: str, stored: str) -> None:
    assert normal(given) == stored
    assert normal(stored) == stored


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        "ann",
        "@example.org",
        "ann@",
        "ann@localhost",
        "ann@example.",
        "ann@.org",
        "ann@-example.org",
        "ann@example-.org",
        "ann@exa_mple.org",
        f"ann@{'b' * 64}.org",
        "ann@example.org.",
        "ann@@example.org",
        "ann@bee@example.org",
        ".ann@example.org",
        "ann.@example.org",
        "ann..bee@example.org",
        "ann bee@example.org",
        "ann@exam ple.org",
        "ann@example.org\nbcc: bee@example.org",
        "ann\0@example.org",
        "<ann@example.org>",
        '"ann"@example.org',
        "änn@example.org",
        "ann@exämple.org",
        "\N{KELVIN SIGN}ann@example.org",  # in lower case it is a plain k
        "ann@example.org\N{NO-BREAK SPACE}x",
        "\ud800@example.org",
        "a" * (LONGEST - 11) + "@example.org",
        "a" * 1_000_000,
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(Refusal) as refusal:
        normal(given)
    assert refusal.value.code == "invalid_email"
    assert "name@example.com" in refusal.value.message
