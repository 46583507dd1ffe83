from collections.abc import Iterator

import pytest

from tests.unit.sandbox.account import Account


@pytest.fixture
def account() -> Iterator[Account]:
    account = Account()
    yield account
    account.state.close()
