"""A clock of PostgreSQL that tests can set: functions that precede the built-in ones in one database.

What was created before it is installed, such as a column's default, keeps the true time."""

import psycopg

SHIM = """
CREATE SCHEMA shim;
CREATE TABLE shim.clock (ahead interval NOT NULL);
INSERT INTO shim.clock VALUES ('0');
CREATE FUNCTION shim.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
  AS 'SELECT pg_catalog.clock_timestamp() + ahead FROM shim.clock';
CREATE FUNCTION shim.now() RETURNS timestamptz LANGUAGE sql VOLATILE
  AS 'SELECT pg_catalog.now() + ahead FROM shim.clock';
DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I SET search_path = public, shim, pg_catalog', current_database());
END $$;
"""


def install(url: str) -> None:
    """Install the clock for new connections of a superuser who sets no search path."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SHIM)


def set_ahead(url: str, seconds: float) -> None:
    """Set the clock `seconds` ahead of the true time from now on."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE shim.clock SET ahead = make_interval(secs => %s)", (seconds,))
