"""The stand-in Deepgram as the end-to-end tests use it: a script for each case, a record for each session."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tests.e2e.client import Captions
from tests.standin.deepgram import DeepgramStandIn, Record
from tests.standin.script import Script

WORD: Final = "heliotrope"
"""All words that the stand-in hears begin with it, so that a log that holds any is found out."""


class Upstream:
    """Which script a connection meets is told by the `keywords` of its config."""

    def __init__(self, standin: DeepgramStandIn) -> None:
        self._standin = standin
        self._scripts: dict[str, Script] = {}
        self._numbers = itertools.count()
        standin.script = lambda record: self._scripts.get(record.value("keywords") or "", Script(word=WORD))

    @property
    def url(self) -> str:
        return self._standin.url

    @property
    def dialled(self) -> int:
        """How many connections there have been."""
        return len(self._standin.records)

    def scripted(self, script: Script, **config: Any) -> dict[str, Any]:
        """A config whose session meets this script."""
        case = f"case-{next(self._numbers)}"
        self._scripts[case] = replace(script, word=WORD) if script.word == Script().word else script
        return {"keywords": case, **config}

    def met(self, config: dict[str, Any]) -> list[Record]:
        """The connections that a config from `scripted` led to."""
        return [record for record in self._standin.records if record.value("keywords") == config["keywords"]]

    def heard(self, captions: Captions) -> Record:
        """The one connection of a session."""
        (record,) = [r for r in self._standin.records if captions.session_id in (r.value("tag") or "")]
        return record

    async def until(self, condition: Callable[[], bool], within: float = 10.0) -> None:
        await self._standin.until(condition, within)


def words(count: int, first: int = 0, prefix: str = "") -> str:
    """What is heard in half as many seconds of audio."""
    return " ".join(f"{prefix}{WORD}{number}" for number in range(first, first + count))
