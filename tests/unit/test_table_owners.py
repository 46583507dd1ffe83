"""SQL keeps to the direction of imports: statements name only tables of their own package and of packages below it."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "src" / "transcription_proxy"
OWNERS: Final = {
    "schema_migrations": "db",
    "jobs": "db",
    "rate_limits": "db",
    "users": "db",  # every package refers to users; accounts creates and changes them
    "credit_balance": "ledger",
    "transcription_sessions": "ledger",
    "usage_ledger": "ledger",
    "key_spending": "ledger",
    "write_probe": "ledger",
    "logins": "accounts",
    "refresh_tokens": "accounts",
    "password_resets": "accounts",
    "trials": "accounts",
    "api_keys": "accounts",
    "overlays": "overlay",
    "overlay_pages": "overlay",
    "purchases": "payments",
    "purchase_owners": "payments",
    "payment_claims": "payments",
    "stripe_events": "payments",
}
STATEMENTS: Final = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("queries.sql"))


def layers() -> list[set[str]]:
    """Return the packages of each layer of the import contract, the highest layer first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [each for each in contracts if each["type"] == "layers"]
    return [{name.strip() for name in layer.split("|")} for layer in contract["layers"]]


def tables_for(package: str) -> set[str]:
    """Return the tables that a package may name."""
    height = next(index for index, layer in enumerate(layers()) if package in layer)
    below = set().union(*layers()[height + 1 :]) | {package}
    return {table for table, owner in OWNERS.items() if owner in below}


def named_in(sql: str) -> set[str]:
    """Return the tables that SQL names, outside comments and texts."""
    code = re.sub(r"--[^\n]*|'[^']*'", "", sql)
    return {table for table in OWNERS if re.search(rf"\b{table}\b", code)}


def test_each_table_has_an_owner() -> None:
    steps = "\n".join(path.read_text() for path in (PACKAGE / "db" / "migrations").glob("*.sql"))
    assert set(re.findall(r"CREATE (?:UNLOGGED )?TABLE (\w+)", steps)) == set(OWNERS)


@pytest.mark.parametrize("path", STATEMENTS, ids=str)
def test_statements_name_only_tables_of_their_package_and_of_packages_below(path: Path) -> None:
    assert named_in((PACKAGE / path).read_text()) - tables_for(path.parts[0]) == set()


@pytest.mark.parametrize(
    ("package", "sql"),
    [
        ("ledger", "SELECT FROM usage_ledger JOIN logins ON true"),
        ("db", "SELECT FROM usage_ledger"),
        ("accounts", "SELECT FROM purchases, 'users'"),
    ],
)
def test_a_table_of_a_package_above_or_beside_is_found(package: str, sql: str) -> None:
    assert len(named_in(sql) - tables_for(package)) == 1


def test_comments_and_texts_name_no_tables() -> None:
    assert named_in("SELECT 'jobs', id FROM users -- logins") == {"users"}
