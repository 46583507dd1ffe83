"""The relay's sockets are tested on the loop of production; one server for all tests of a module."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
import pytest_asyncio
import uvloop

from tests.integration.relay.doorway import Doorway, Wire, running


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], uvloop.Loop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[Doorway]:
    """A server with a door."""
    async with running() as doorway:
        yield doorway


@pytest.fixture
def doorway(house: Doorway) -> Iterator[Doorway]:
    house.begin()
    yield house
    house.end()


@pytest_asyncio.fixture(loop_scope="module")
async def wire(doorway: Doorway) -> Wire:
    return await doorway.open()
