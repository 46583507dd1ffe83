import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.running import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One for all tests of its API and its pages, with whatever they left in it."""
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    running = Sandbox(folder)
    yield running
    running.close()
    shutil.rmtree(folder)
