"""Runs tests on other servers than the bundled PostgreSQL: `python -m tests.servers`.

First the integration tests on Debian's PostgreSQL. Then the program itself, end to end, in a schema of its own on that
server, which it reaches through PgBouncer in transaction mode."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.standin.postgres import debian_postgres, pgbouncer

INTEGRATION: Final = (
    *(f"tests/integration/{folder}" for folder in ("accounts", "db", "ledger", "payments")),
    *(f"--ignore=tests/integration/db/test_{name}.py" for name in ("embedded", "ownership")),
    *(f"--ignore=tests/integration/{folder}/test_histories.py" for folder in ("ledger", "payments")),
)
"""Without what is about the bundled server, and without long random histories, which `make test` runs."""
AT_ONCE: Final = (
    "a_client_that_lost_its_connection_replaces_its_session",
    "a_user_can_end_a_session",
    "the_operator_can_end_a_session",
    "blocking_an_account_ends_its_session",
)
END_TO_END: Final = (
    *(f"tests/e2e/test_{name}.py" for name in ("captions", "purchase", "ends", "operator", "reset")),
    *(f"--deselect=tests/e2e/test_ends.py::test_{name}" for name in AT_ONCE),
)
"""Without those that want an end within 3 s. That takes a NOTIFY, which no pooler passes on; others await a settle."""
PYTEST: Final = (sys.executable, "-m", "pytest", "-n", "3", "--dist", "loadfile")


def main() -> int:
    with debian_postgres() as server:
        status = run(INTEGRATION, TEST_DATABASE_URL=server)
        with pgbouncer(server) as pooler:
            return run(END_TO_END, TEST_DATABASE_URL=server, TEST_POOLER_URL=pooler) or status


def run(files: Sequence[str], **env: str) -> int:
    """Run tests, and return pytest's exit status."""
    print(f"On {', '.join(env)}:", flush=True)  # noqa: T201
    command = [*PYTEST, *files]
    return subprocess.run(command, env={**os.environ, **env}, cwd=Path(__file__).parents[1], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
