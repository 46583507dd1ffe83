import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.running import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox Stripe for all tests of its API, its pages and the way to it, with whatever they left in it."""
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    running = Sandbox(folder)
    yield running
    running.close()
    shutil.rmtree(folder)
