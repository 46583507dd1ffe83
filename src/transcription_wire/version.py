"""The version of all programs: the one place that a release changes."""

from typing import Final

VERSION: Final = "0.2.0"
"""As semver.org counts: a change that breaks a client or a setting raises the first number that is not 0."""
