"""Shared fixtures: one PostgreSQL a run (TEST_DATABASE_URL, or the bundled one), a fresh database for each test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from tests.standin import display
from tests.standin.signals import reset_in_children
from transcription_proxy.config import environment
from transcription_proxy.db.embedded import Embedded
from transcription_proxy.db.libpq import shield
from transcription_proxy.db.migrate import migrate
from transcription_proxy.db.pool import Database

reset_in_children()
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"  # no test touches the tester's own keyring
pytest_plugins = (
    ["pytestqt.plugin"] if display.can_load_qt() else []
)  # its own entry point fails without Qt's libraries
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def reachable_dir() -> Iterator[Path]:
    """A folder of short path that PostgreSQL's own user may enter when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="tp-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_url(reachable_dir: Path) -> Iterator[str]:
    """A server on which tests may make databases."""
    given = environment().get("TEST_DATABASE_URL")
    shield(bundled=not given)
    if given:
        yield given
        return
    with Embedded.acquire(reachable_dir, settings={"fsync": "off", "max_connections": "100"}) as server:
        yield server.url


@pytest.fixture(scope="session")
def template(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database that others are copied from."""
    name = f"template_{uuid4().hex}"
    create_database(postgres_url, name)
    asyncio.run(migrate(with_database(postgres_url, name)))
    yield name
    drop_database(postgres_url, name)


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A fresh database without tables."""
    name = f"test_{uuid4().hex}"
    create_database(postgres_url, name)
    yield with_database(postgres_url, name)
    drop_database(postgres_url, name)


@pytest.fixture
def new_database_url(postgres_url: str, template: str) -> Iterator[Callable[[], str]]:
    """Makes fresh databases with all migrations."""
    names: list[str] = []

    def make() -> str:
        names.append(f"test_{uuid4().hex}")
        create_database(postgres_url, names[-1], template)
        return with_database(postgres_url, names[-1])

    yield make
    for name in names:
        drop_database(postgres_url, name)


@pytest.fixture
def database_url(new_database_url: Callable[[], str]) -> str:
    """A fresh database with all migrations."""
    return new_database_url()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


def with_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def create_database(url: str, name: str, template: str = "template0") -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, template))))


def drop_database(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
