"""A backup holds one schema, and is restored whole into a database that has none of our tables, or not at all."""

import asyncio
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.conftest import with_database
from transcription_proxy.db import backup as backups
from transcription_proxy.db.migrate import migrate, migrations
from transcription_proxy.errors import Refusal, Unavailable

TABLES = """SELECT table_name, column_name, data_type, column_default FROM information_schema.columns
  WHERE table_schema = %s ORDER BY 1, 2"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = %s ORDER BY 1"
RULES = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
  WHERE connamespace = %s::regnamespace AND contype <> 'n' ORDER BY 1, 2"""


def rows(url: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def add_user(url: str, schema: str = "public") -> str:
    email = f"{uuid4().hex}@example.org"
    with psycopg.connect(url) as connection:
        table = sql.Identifier(schema, "users")
        connection.execute(sql.SQL("INSERT INTO {} (email, password_hash) VALUES (%s, 'x')").format(table), [email])
    return email


@pytest.fixture
def other_database_url(postgres_url: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        yield with_database(postgres_url, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.parametrize("schema", [None, "captions"])
@pytest.mark.parametrize("on_path", [True, False], ids=["programs on PATH first", "the bundled programs"])
def test_all_of_one_schema_comes_back(
    empty_database_url: str,
    other_database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    schema: str | None,
    on_path: bool,
) -> None:
    if not on_path:
        monkeypatch.setattr(shutil, "which", lambda name: None)
    name, file = schema or "public", tmp_path / "captions.dump"
    asyncio.run(migrate(empty_database_url, schema))
    email = add_user(empty_database_url, name)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE SCHEMA neighbour")
        connection.execute("CREATE TABLE neighbour.secret (it text)")
    backups.backup(empty_database_url, schema, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    backups.restore(other_database_url, schema, file)
    assert rows(other_database_url, f"SELECT email FROM {name}.users") == [(email,)]
    for statement in (TABLES, INDEXES, RULES):
        before = rows(empty_database_url, statement, name)
        assert rows(other_database_url, statement, name) == before != []
    assert rows(other_database_url, "SELECT FROM pg_namespace WHERE nspname = 'neighbour'") == []
    assert asyncio.run(migrate(other_database_url, schema)) == max(migrations())


def test_a_database_in_use_is_never_overwritten(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "captions.dump"
    backups.backup(database_url, None, file)
    email = add_user(database_url)
    with pytest.raises(Refusal, match="already has tables"):
        backups.restore(database_url, None, file)
    assert rows(database_url, "SELECT email FROM users") == [(email,)]


def test_a_file_in_the_way_is_kept(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "captions.dump"
    file.write_text("mine")
    with pytest.raises(Refusal, match="already exists"):
        backups.backup(database_url, None, file)
    assert file.read_text() == "mine"


def test_a_restore_that_fails_leaves_nothing(database_url: str, empty_database_url: str, tmp_path: Path) -> None:
    file, half = tmp_path / "captions.dump", tmp_path / "half.dump"
    backups.backup(database_url, None, file)
    half.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(Unavailable, match="pg_restore failed"):
        backups.restore(empty_database_url, None, half)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE users (mine int)")
    with pytest.raises(Unavailable, match="already exists"):
        backups.restore(empty_database_url, None, file)
    assert rows(empty_database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("users",)]


def test_what_cannot_be_restored_is_refused(
    database_url: str, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, text = tmp_path / "captions.dump", tmp_path / "text"
    backups.backup(database_url, None, file)
    text.write_text("no backup")
    with pytest.raises(Refusal, match="Can't read the backup"):
        backups.restore(empty_database_url, None, text)
    with pytest.raises(Refusal, match="DATABASE_SCHEMA=public"):
        backups.restore(empty_database_url, "other", file)
    with pytest.raises(Refusal, match="no tables"):
        backups.backup(empty_database_url, None, tmp_path / "nothing.dump")
    reader, contents = backups._read(file)
    newer = backups._FROM.sub(";     Dumped from database version: 99", contents)
    monkeypatch.setattr(backups, "_read", lambda file: (reader, newer))
    with pytest.raises(Refusal, match="Use 99 or newer"):
        backups.restore(empty_database_url, None, file)


def test_a_database_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as error:
        backups.backup("postgresql://me:hunter2@127.0.0.1:1/none", None, tmp_path / "captions.dump")
    assert "hunter2" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
