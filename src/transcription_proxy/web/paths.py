"""Request paths as logs show them."""

import re
from typing import Final

from starlette.types import Scope

MAX_CHARACTERS: Final = 200
_SHOWN: Final = re.compile(
    r"[A-Za-z.-]{0,32}"  # words
    r"|v[0-9]"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # ids
)


def logged_path(scope: Scope) -> str:
    """Return a request's path with `*` for each segment that is neither a word nor an id, but may be a secret."""
    raw: bytes = scope.get("raw_path") or b""
    segments = raw.decode("ascii", "replace").split("/")
    return "/".join(each if _SHOWN.fullmatch(each) else "*" for each in segments)[:MAX_CHARACTERS]
