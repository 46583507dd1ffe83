"""Which Stripe is used, and how a command beside the service finds the sandbox of its DATA_DIR."""

import json
import stat
from pathlib import Path

import pytest

from transcription_proxy.errors import Unavailable
from transcription_proxy.payments import sandboxed
from transcription_proxy.payments.sandboxed import Address, Sandboxed

HERE = Sandboxed("sk_test_1", "whsec_1", 4242)


def test_with_a_key_it_is_stripe_or_whatever_server_is_named(tmp_path: Path) -> None:
    sandboxed.keep(tmp_path, HERE, "127.0.0.1", 4242)
    assert sandboxed.address(tmp_path, "sk_live_1", None, None) == Address("sk_live_1", None)
    assert sandboxed.address(tmp_path, "sk_live_1", "https://stripe.example", None) == Address(
        "sk_live_1", "https://stripe.example"
    )


def test_without_a_key_it_is_the_sandbox_where_it_listens_now(tmp_path: Path) -> None:
    sandboxed.keep(tmp_path, HERE, "127.0.0.1", 4242)
    sandboxed.keep(tmp_path, HERE, "::1", 4243)
    assert sandboxed.address(tmp_path, None, None, None) == Address("sk_test_1", "http://[::1]:4243")


def test_a_sandbox_that_never_ran_is_said_so(tmp_path: Path) -> None:
    assert sandboxed.load(tmp_path) is None
    with pytest.raises(Unavailable, match="Start transcription-proxy serve"):
        sandboxed.address(tmp_path, None, None, None)


def test_a_new_sandbox_has_secrets_of_its_own_and_keeps_them(tmp_path: Path) -> None:
    new, other = sandboxed.make(tmp_path), sandboxed.make(tmp_path)
    assert new.key.startswith("sk_test_")
    assert new.webhook_secret.startswith("whsec_")
    assert new.key != other.key
    assert new.webhook_secret != other.webhook_secret
    kept = sandboxed.keep(tmp_path, new, "127.0.0.1", 4242)
    assert sandboxed.make(tmp_path) == kept == sandboxed.load(tmp_path)


def test_its_secrets_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    sandboxed.keep(tmp_path, HERE, "127.0.0.1", 4242)
    folder = tmp_path / "sandbox"
    assert sandboxed.state_file(tmp_path).parent == folder
    assert [path.name for path in folder.iterdir()] == ["address.json"]
    assert stat.S_IMODE((folder / "address.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"port": 1}', json.dumps({"key": "k", "more": 1})])
def test_a_file_that_is_broken_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    sandboxed.keep(tmp_path, HERE, "127.0.0.1", 4242)
    (tmp_path / "sandbox" / "address.json").write_text(text)
    assert sandboxed.load(tmp_path) is None
    assert sandboxed.make(tmp_path).port == 0
