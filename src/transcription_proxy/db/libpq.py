"""What PostgreSQL's client library may read from the environment of our processes (docs/decisions/0014)."""

import os
from collections.abc import MutableMapping
from typing import Final

NEEDED: Final = {"PGCLIENTENCODING": "UTF8", "PGDATESTYLE": "ISO", "PGTZ": "UTC"}
"""libpq sends these when it connects, so they also win over defaults of the database and of its user."""
UNWANTED: Final = ("PGOPTIONS", "PGGEQO")
"""Settings meant for psql sessions. The service takes its own options from DATABASE_URL."""


def shield(env: MutableMapping[str, str] = os.environ, *, bundled: bool) -> None:
    """Remove what would change the meaning of our connections. Call it before the first one.

    For the bundled PostgreSQL that is every variable of libpq's, as its URL says all. For a DATABASE_URL the way to
    the server stays with the operator: PGPASSWORD, PGSSLROOTCERT, PGSERVICE and their like.
    """
    for name in [name for name in env if name.startswith("PG") and (bundled or name in UNWANTED)]:
        del env[name]
    env.update(NEEDED)
