"""Whose address a request comes from."""

from ipaddress import ip_address, ip_network

import pytest

from transcription_proxy.clients import NOWHERE, bucket, client_address, is_trusted

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "1.2.3.4", "192.0.2.7"),  # nobody we trust says so
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", " 1.2.3.4 ", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),  # the client itself wrote the first
        ("10.0.0.1", "6.6.6.6,1.2.3.4,10.0.0.2", "1.2.3.4"),
        ("10.0.0.1", "10.9.9.9,1.2.3.4,10.0.0.2", "1.2.3.4"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ",", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4,", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4,nonsense,10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "999.2.3.4", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4:5678", "1.2.3.4"),
        ("10.0.0.1", "[2001:db8::5]:5678", "2001:db8::5"),
        ("10.0.0.1", "[2001:db8::5]", "2001:db8::5"),
        ("10.0.0.1", "2001:db8::5", "2001:db8::5"),
        ("10.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
        ("::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("2001:db8::9", "1.2.3.4", "2001:db8::9"),
        ("", "1.2.3.4", str(NOWHERE)),  # a unix socket has no address to trust
        ("testclient", "1.2.3.4", str(NOWHERE)),
    ],
)
def test_the_client_is_the_last_address_that_somebody_trusted_names(peer: str, forwarded_for: str, client: str) -> None:
    assert client_address(peer, forwarded_for, TRUSTED) == ip_address(client)


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.1", "::1"])
def test_without_trusted_proxies_nobody_is_believed(peer: str) -> None:
    assert client_address(peer, "1.2.3.4", ()) == ip_address(peer)


def test_a_very_long_header_is_walked_once_to_where_trust_ends() -> None:
    assert client_address("10.0.0.1", "1.2.3.4," * 2000 + "5.6.7.8", TRUSTED) == ip_address("5.6.7.8")


def test_trust_needs_one_network_that_fits_and_versions_do_not_mix() -> None:
    assert is_trusted(ip_address("10.1.2.3"), TRUSTED)
    assert is_trusted(ip_address("fd00::1"), TRUSTED)
    assert not is_trusted(ip_address("11.1.2.3"), TRUSTED)
    assert not is_trusted(ip_address("10.1.2.3"), [])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", "1.2.3.5", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("1.2.3.4", "::102:304", False),
    ],
)
def test_one_client_is_an_address_or_an_ipv6_subscriber(one: str, other: str, same: bool) -> None:
    assert (bucket(ip_address(one)) == bucket(ip_address(other))) is same
