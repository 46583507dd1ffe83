"""The overlay's socket is tested behind the relay's door."""

from tests.integration.relay.conftest import doorway, house, pytest_asyncio_loop_factories

__all__ = ["doorway", "house", "pytest_asyncio_loop_factories"]
