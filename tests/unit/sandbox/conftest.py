from collections.abc import Iterator

import pytest

from tests.unit.sandbox.till import Till


@pytest.fixture
def till() -> Iterator[Till]:
    till = Till()
    yield till
    till.state.close()
