"""One service and one stand-in Deepgram for all end-to-end tests; after each test the books must balance."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from tests.conftest import create_database, drop_database, with_database
from tests.e2e.checks import assert_books_balance, assert_no_secrets
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.standin.deepgram import DeepgramStandIn

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All these tests share one event loop with the fixtures."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder that any user can enter, because PostgreSQL does not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="captions-e2e-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def upstream() -> AsyncIterator[Upstream]:
    async with DeepgramStandIn() as standin:
        yield Upstream(standin)


@pytest.fixture(scope="session")
def shared_server(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings for a schema of its own in a database that others use, behind TEST_POOLER_URL; else none."""
    pooler = os.environ.get("TEST_POOLER_URL")
    if pooler is None:
        return {}
    server: str = request.getfixturevalue("postgres_url")
    name = f"shared_{uuid4().hex}"
    create_database(server, name)
    request.addfinalizer(lambda: drop_database(server, name))
    with psycopg.connect(with_database(server, name), autocommit=True) as connection:
        connection.execute("CREATE TABLE users (neighbours int); CREATE TABLE schema_migrations (neighbours text)")
    return {"DATABASE_URL": with_database(pooler, name), "DATABASE_SCHEMA": "captions"}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service(scratch: Path, upstream: Upstream, shared_server: dict[str, str]) -> AsyncIterator[Service]:
    async with serving(environment(scratch / "main", upstream.url, **shared_server)) as running:
        yield running
    assert_no_secrets(running)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def books_balance(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Check the books after each test that used the shared service."""
    service: Service | None = request.getfixturevalue("service") if "service" in request.fixturenames else None
    yield
    if service is not None:
        await assert_books_balance(service)
