"""Secrets that come from files."""

from pathlib import Path

import pytest

from tests.unit.settings import BASE, PRODUCTION, SECRET, problems
from transcription_proxy.config import load
from transcription_proxy.secret_files import SECRETS

VALUES = {
    "JWT_SECRET": SECRET,
    "DATABASE_URL": "postgresql://captions:hunter2@db/captions",
    "DEEPGRAM_API_KEY": "dg-key",
    "STRIPE_SECRET_KEY": "sk_live_x",
    "STRIPE_WEBHOOK_SECRET": "whsec_a,whsec_b",
    "SMTP_URL": "smtps://me:hunter2@mail.example.org",
    "METRICS_TOKEN": "scrape",
}


def test_each_secret_may_come_from_a_file(tmp_path: Path) -> None:
    assert set(VALUES) == set(SECRETS)
    for name, value in VALUES.items():
        (tmp_path / name).write_text(f"{value}\n")
    env = {**PRODUCTION, **dict.fromkeys(SECRETS, ""), **{f"{name}_FILE": str(tmp_path / name) for name in SECRETS}}
    assert load(env) == load({**PRODUCTION, **VALUES})


@pytest.mark.parametrize("name", SECRETS)
def test_both_at_once_is_a_mistake(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(VALUES[name])
    [problem] = problems({**BASE, name: VALUES[name], f"{name}_FILE": str(tmp_path / "secret")})
    assert problem.startswith(f"{name}_FILE and {name} are both set")


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_without_a_secret_is_one_mistake_and_its_content_is_not_shown(
    content: bytes | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    [problem] = problems({**PRODUCTION, "JWT_SECRET": "", "JWT_SECRET_FILE": str(tmp_path / "secret")})
    assert problem.startswith("JWT_SECRET_FILE must")
    assert "xxx" not in problem
