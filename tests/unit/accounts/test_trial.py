"""Who gets the trial: mailboxes, disposable domains, and links that confirm an address."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from transcription_proxy.accounts import tokens, trial
from transcription_proxy.accounts.store import User
from transcription_proxy.accounts.trial import DISPOSABLE_DOMAINS, is_excluded, mailbox, read_domains
from transcription_proxy.errors import Refusal

NOW = datetime(2026, 11, 29, tzinfo=UTC)
SECRET = "a secret of the tests, 32 bytes and more"
ANN = User(UUID(int=1), "ann@example.org", 0, None, NOW)


@pytest.mark.parametrize(
    ("address", "box"),
    [
        ("ann@example.org", "ann@example.org"),
        ("ann+trial@example.org", "ann@example.org"),
        ("ann+a+b@example.org", "ann@example.org"),
        ("a.nn@example.org", "a.nn@example.org"),  # elsewhere dots are part of the name
        ("a.n.n@gmail.com", "ann@gmail.com"),
        ("a.nn+x@googlemail.com", "ann@gmail.com"),
    ],
)
def test_all_spellings_of_a_mailbox_are_one(address: str, box: str) -> None:
    assert mailbox(address) == box


def test_disposable_domains_and_those_below_them_are_excluded() -> None:
    assert is_excluded("x@mailinator.com", DISPOSABLE_DOMAINS)
    assert is_excluded("x@some.mailinator.com", DISPOSABLE_DOMAINS)
    assert not is_excluded("x@notmailinator.com.example", DISPOSABLE_DOMAINS)
    assert not is_excluded("x@gmail.com", DISPOSABLE_DOMAINS)
    assert not is_excluded("x@mailinator.com", read_domains("# nobody\n\n"))
    assert is_excluded("x@throw.example", read_domains(" Throw.example \n"))


def test_a_link_proves_one_address_for_a_week() -> None:
    token = trial.make_token(ANN, SECRET, NOW)
    assert trial.read_token(token, SECRET, NOW + timedelta(days=7, seconds=-1)) == (ANN.id, ANN.email)
    for wrong, secret, now in [
        (token, SECRET, NOW + timedelta(days=7)),
        (token, SECRET + "x", NOW),
        ("x", SECRET, NOW),
    ]:
        with pytest.raises(Refusal) as refusal:
            trial.read_token(wrong, secret, now)
        assert refusal.value.code == "invalid_confirmation"


def test_a_login_is_no_confirmation_and_a_confirmation_no_login() -> None:
    with pytest.raises(Refusal):
        trial.read_token(tokens.issue(ANN.identity, SECRET, NOW, timedelta(days=1), "x"), SECRET, NOW)
    with pytest.raises(Refusal):
        tokens.verify(trial.make_token(ANN, SECRET, NOW), SECRET, NOW)
