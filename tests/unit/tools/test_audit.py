"""What pip-audit's report means. It calls clean what it could not ask about."""

import json
from typing import Any

import pytest

from tools.audit import CLEAN, NOT_ASKED, VULNERABLE, verdict

GOOD = {"name": "httpx", "version": "0.28.1", "vulns": []}
BAD = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "GHSA-1", "fix_versions": ["3.1.6"]}]}
OPEN = {"name": "av", "version": "18.1", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]}
SKIPPED = {"name": "picows", "skip_reason": "Dependency not found on PyPI and could not be audited: picows (2.3.1)"}


def report(*packages: Any) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_packages_that_were_all_asked_about_are_clean() -> None:
    assert verdict(report(GOOD, GOOD), "") == (CLEAN, ["2 packages, no known vulnerabilities."])


def test_each_vulnerability_is_named_with_the_version_to_take() -> None:
    status, lines = verdict(report(GOOD, BAD, OPEN, SKIPPED), "")
    assert status == VULNERABLE
    assert lines[:2] == ["jinja2 3.1.0: GHSA-1, fixed in 3.1.6", "av 18.1: PYSEC-2, fixed in no version yet"]


@pytest.mark.parametrize("packages", [[GOOD, SKIPPED], [SKIPPED], []])
def test_a_package_that_was_not_asked_about_is_not_clean(packages: list[Any]) -> None:
    status, lines = verdict(report(*packages), "No known vulnerabilities found")
    assert status == NOT_ASKED
    assert "doesn't know" in lines[0]


@pytest.mark.parametrize(("text", "errors"), [("", "Traceback\nConnectionError: no host"), ("[]", ""), ("{}", "")])
def test_a_service_that_is_not_reached_is_said_so(text: str, errors: str) -> None:
    status, lines = verdict(text, errors)
    assert status == NOT_ASKED
    assert "can't be asked" in lines[0]
    assert not errors or "no host" in lines[0]
