"""Backups in pg_dump's own format: out of a database in use, and into one without the service's tables.

A backup holds one schema, whether it is that of DATABASE_SCHEMA or the default one, so that a shared database's other
schemas stay out of it. The programs are PostgreSQL's: those on PATH, or else the bundled ones, which know no TLS."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import conninfo

from transcription_proxy.db import places, queries
from transcription_proxy.db.pool import AWAY, CONNECTION
from transcription_proxy.errors import ConfigError, Refusal, Unavailable

SQL: Final = queries.load("transcription_proxy.db")
LOCK_WAIT: Final = "60s"
"""How long pg_dump waits for a migration to release its tables."""
TOO_NEW: Final = b"SET transaction_timeout = 0;\n"
"""A setting that pg_restore of PostgreSQL 17 and later changes, and older servers do not know."""
_FROM: Final = re.compile(r"^;\s+Dumped from database version: (\d+)", re.MULTILINE)
_TABLE: Final = re.compile(r"^\d+; \d+ \d+ TABLE (\S+) schema_migrations ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Target:
    """A database and its schema, as the server describes them."""

    url: str
    schema: str
    major: int
    """PostgreSQL's major version."""
    has_schema: bool
    has_tables: bool
    """Whether the schema holds tables of the service."""

    def environment(self) -> dict[str, str]:
        """Return variables for PostgreSQL's programs. All users of a machine see arguments, so the password is here."""
        password = conninfo.conninfo_to_dict(self.url).get("password")
        return {**os.environ, **({"PGPASSWORD": str(password)} if password else {}), "PGCONNECT_TIMEOUT": "10"}

    @property
    def address(self) -> str:
        """The option that names the database, without the password."""
        parts: dict[str, Any] = conninfo.conninfo_to_dict(self.url)
        parts.pop("password", None)
        return "--dbname=" + conninfo.make_conninfo("", **parts)


def backup(url: str, schema: str | None, file: Path) -> None:
    """Write a backup to a new file. Raise Refusal, ConfigError and Unavailable."""
    if file.exists():
        raise Refusal("file_exists", f"{file} already exists. Choose another name, or remove it.")
    target = _look(url, schema)
    if not target.has_tables:
        raise Refusal("no_tables", f"The schema {target.schema} has no tables to back up. Check DATABASE_URL.")
    dump = next((path for path in _programs("pg_dump") if _major(path) >= target.major), None)
    if dump is None:
        raise Refusal("no_program", f"Install pg_dump of PostgreSQL {target.major} or newer.")
    draft = file.with_name(f"{file.name}.part")
    options = [
        "--format=custom",
        f'--schema="{target.schema}"',
        "--no-owner",
        "--no-privileges",
        f"--lock-wait-timeout={LOCK_WAIT}",
    ]
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        done = subprocess.run(  # noqa: S603
            [dump, *options, f"--file={draft}", target.address],
            env=target.environment(),
            stderr=subprocess.PIPE,
            check=False,
        )
        _refuse_failure(dump, done.returncode, done.stderr)
        os.link(draft, file)  # refuses to replace a file that another backup has made meanwhile
    finally:
        draft.unlink(missing_ok=True)


def restore(url: str, schema: str | None, file: Path) -> None:
    """Fill an empty database from a backup, in one transaction. Raise Refusal, ConfigError and Unavailable."""
    reader, contents = _read(file)
    major, saved = _FROM.search(contents), _TABLE.search(contents)
    if major is None or saved is None:
        raise Refusal("no_backup", f"{file} is no backup of this service.")
    target = _look(url, schema)
    if target.major < int(major[1]):
        raise Refusal(
            "too_old",
            f"{file} is from PostgreSQL {major[1]}, and DATABASE_URL is {target.major}. Use {major[1]} or newer.",
        )
    if target.schema != saved[1]:
        raise Refusal("other_schema", f"{file} holds the schema {saved[1]}. Set DATABASE_SCHEMA={saved[1]}.")
    if target.has_tables:
        raise Refusal(
            "not_empty", f"The schema {target.schema} already has tables. Use a new database, or a new DATA_DIR."
        )
    _fill(target, reader, file)


def _look(url: str, schema: str | None) -> Target:
    try:
        with psycopg.connect(url, **CONNECTION) as connection:
            row = connection.execute(SQL["schema_state"], {"schema": schema}).fetchone()
            major, own_pid = connection.info.server_version // 10000, connection.info.backend_pid
    except psycopg.ProgrammingError as error:
        raise ConfigError([f"DATABASE_URL isn't valid: {error}"]) from error
    except AWAY as error:
        raise Unavailable(f"Can't reach the database: {error}") from error
    assert row is not None
    name, has_schema, has_tables, server_pid = row
    if server_pid != own_pid:  # pg_dump changes settings of its connection, which a pooler hands to the service
        raise Refusal("pooler", "DATABASE_URL leads to a pooler. Set it to PostgreSQL itself for this command.")
    return Target(url, name, major, has_schema, has_tables)


def _read(file: Path) -> tuple[Path, str]:
    """Return the pg_restore that can read a backup, and the backup's table of contents. Raise Refusal."""
    reason = "Install PostgreSQL's pg_restore."
    for program in _programs("pg_restore"):
        done = subprocess.run([program, "--list", file], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode == 0:
            return program, done.stdout
        reason = done.stderr
    raise Refusal("unreadable", f"Can't read the backup {file}: {reason.strip()}")


def _fill(target: Target, reader: Path, file: Path) -> None:
    """Send the backup as SQL to psql, in one transaction. After any error nothing is left."""
    script: list[str | Path] = [reader, f"--schema={target.schema}", "--no-owner", "--no-privileges", "--file=-", file]
    options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    create = [] if target.has_schema else ["--command", f'CREATE SCHEMA "{target.schema}"']
    shell: list[str | Path] = [reader.with_name("psql"), *options, target.address, *create, "--file=-"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(script, stdout=subprocess.PIPE, stderr=errors) as reading,  # noqa: S603
        subprocess.Popen(shell, stdin=subprocess.PIPE, stderr=errors, env=target.environment()) as writing,  # noqa: S603
    ):
        assert reading.stdout is not None
        assert writing.stdin is not None
        try:
            writing.stdin.writelines(line for line in reading.stdout if line != TOO_NEW)
            if reading.wait() != 0:
                writing.kill()  # half a script must not be committed
            writing.stdin.close()
        except BrokenPipeError:  # psql has ended at an error, which it prints
            reading.kill()
        status = writing.wait() or reading.wait()
        errors.seek(0)
        _refuse_failure(reader, status, errors.read())


def _refuse_failure(program: Path, status: int, errors: bytes) -> None:
    if status != 0:
        said = " ".join(errors.decode(errors="replace").split())
        raise Unavailable(f"{program.name} failed: {said or f'exit status {status}'}")


def _programs(name: str) -> Iterator[Path]:
    """Yield the program on PATH, if there is one, and the bundled one."""
    if found := shutil.which(name):
        yield Path(found)
    yield places.program(Path(os.devnull), os.geteuid()) / name


def _major(program: Path) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    return int(re.findall(r"\d+", said.stdout)[0])
