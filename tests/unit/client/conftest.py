"""Fixtures of the client's tests."""

import socket
from collections.abc import Iterator

import pytest

from tests.unit.client.keyrings import MemoryKeyring, memory_keyring
from tests.unit.client.servers import Http, http_server


@pytest.fixture
def http() -> Iterator[Http]:
    with http_server() as server:
        yield server


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def keyring() -> Iterator[MemoryKeyring]:
    """A keyring that works. Without this fixture there is none."""
    with memory_keyring() as kept:
        yield kept
