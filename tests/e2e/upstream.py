"""The stand-in Deepgram as the end-to-end tests use it: a script for each case, a record for each session."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tests.e2e.client import Captions
from tests.standin.deepgram import DeepgramStandIn
from tests.standin.record import Record
from tests.standin.script import Script

WORD: Final = "heliotrope"
"""All words that the stand-in hears begin with it, so that a log that holds any is found out."""


class Upstream:
    """Which script a connection meets is told by the `keywords` of its config."""

    def __init__(self, standin: DeepgramStandIn) -> None:
        self._standin = standin
        self._scripts: dict[str, list[Script]] = {}
        self._numbers = itertools.count()
        standin.script = self._script

    @property
    def url(self) -> str:
        return self._standin.url

    @property
    def dialled(self) -> int:
        """How many connections there have been."""
        return len(self._standin.records)

    def scripted(self, *scripts: Script, **config: Any) -> dict[str, Any]:
        """A config whose session meets these scripts, one a connection; the last one goes on."""
        case = f"case-{next(self._numbers)}"
        self._scripts[case] = [replace(each, word=WORD) if each.word == Script().word else each for each in scripts]
        return {"keywords": case, **config}

    def met(self, config: dict[str, Any]) -> list[Record]:
        """The connections that a config from `scripted` led to."""
        return [record for record in self._standin.records if record.value("keywords") == config["keywords"]]

    def met_last(self) -> Record:
        """The newest connection."""
        return self._standin.records[-1]

    def heard(self, captions: Captions) -> Record:
        """The one connection of a session."""
        (record,) = [r for r in self._standin.records if captions.session_id in (r.value("tag") or "")]
        return record

    def _script(self, record: Record) -> Script:
        """It is asked for several times a connection."""
        case = record.value("keywords") or ""
        scripts = self._scripts.get(case, [Script(word=WORD)])
        earlier = [other for other in self._standin.records[: record.number] if other.value("keywords") == case]
        return scripts[min(len(earlier), len(scripts) - 1)]

    async def until(self, condition: Callable[[], bool], within: float = 10.0) -> None:
        await self._standin.until(condition, within)


def words(count: int, first: int = 0, prefix: str = "") -> str:
    """What is heard in half as many seconds of audio."""
    return " ".join(f"{prefix}{WORD}{number}" for number in range(first, first + count))
