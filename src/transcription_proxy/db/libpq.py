"""The environment variables that PostgreSQL's client library may read in our processes (docs/decisions/0014)."""

import os
from collections.abc import MutableMapping
from typing import Final

NEEDED: Final = {"PGCLIENTENCODING": "UTF8", "PGDATESTYLE": "ISO", "PGTZ": "UTC"}
"""Values that libpq sends when it connects, so that they override defaults of the database and of its user."""
UNWANTED: Final = ("PGOPTIONS", "PGGEQO")
"""Variables meant for psql sessions. The service takes its own options from DATABASE_URL."""


def shield(env: MutableMapping[str, str] = os.environ, *, bundled: bool) -> None:
    """Remove variables that would change our connections. Call this before the first one.

    For the bundled PostgreSQL these are all of libpq's variables, since its URL is complete. For a DATABASE_URL the
    operator may use PGPASSWORD, PGSSLROOTCERT, PGSERVICE and others that say how to reach the server.
    """
    for name in [name for name in env if name.startswith("PG") and (bundled or name in UNWANTED)]:
        del env[name]
    env.update(NEEDED)
