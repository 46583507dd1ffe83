"""Asks PyPI's advisories for known vulnerabilities of the locked dependencies: `make audit`. It needs the internet.

pip-audit says "No known vulnerabilities found" also of packages that it could not ask about; that is a failure here."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements.lock"
HOME: Final = ROOT / "build" / "audit"
"""A separate environment: nothing else needs pip-audit."""
TOOL: Final = "pip-audit==2.10.1"
SECONDS: Final = 600
CLEAN, VULNERABLE, NOT_ASKED = 0, 1, 2
"""Exit statuses."""


def main() -> None:
    asked = subprocess.run(
        [_tool(), "-r", LOCK, "--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"],
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS,
    )
    status, lines = verdict(asked.stdout, asked.stderr)
    (sys.stdout if status == CLEAN else sys.stderr).write("\n".join(lines) + "\n")
    sys.exit(status)


def verdict(report: str, errors: str) -> tuple[int, list[str]]:
    """Return the exit status and what to print. `report`: pip-audit's JSON, empty if it failed."""
    try:
        found: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        why = errors.strip().splitlines()[-1:] or ["pip-audit said nothing"]
        return NOT_ASKED, [f"The vulnerability service can't be asked: {why[0]}", "Run this where the internet is."]
    holes = [_sentence(each, hole) for each in found for hole in each.get("vulns", ())]
    skipped = [each["name"] for each in found if "skip_reason" in each]
    if holes:
        return VULNERABLE, [*holes, "Raise the versions in pyproject.toml, then run `make lock`."]
    if skipped or not found:
        about = f"{len(skipped)} of {len(found)} packages, such as {', '.join(skipped[:3]) or 'none'}"
        return NOT_ASKED, [
            f"The vulnerability service doesn't know {about}.",
            "Run this where pypi.org is reached itself.",
        ]
    return CLEAN, [f"{len(found)} packages, no known vulnerabilities."]


def _sentence(package: dict[str, Any], hole: dict[str, Any]) -> str:
    mended = ", ".join(hole.get("fix_versions", ())) or "no version yet"
    return f"{package['name']} {package['version']}: {hole['id']}, fixed in {mended}"


def _tool() -> Path:
    """Return pip-audit, installed first if it is missing."""
    tool = HOME / "bin" / "pip-audit"
    if not tool.exists():
        venv.create(HOME, with_pip=True)
        subprocess.run(
            [HOME / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", TOOL],
            check=True,
            timeout=SECONDS,
        )
    return tool


if __name__ == "__main__":
    main()
