"""Reads the commands that a document shows in its fenced blocks, as a reader would type them."""

import re
from collections.abc import Iterator

FENCE = re.compile(r"^ *```(?:sh)?\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[str]:
    """Yield each line of the blocks that name no other language, without its comment."""
    for block in FENCE.findall(_without_other_blocks(text)):
        for line in block.splitlines():
            if command := re.sub(r"(^| +)# .*$", "", line).strip():
                yield command


def _without_other_blocks(text: str) -> str:
    return re.sub(r"^ *```(?!sh\n)\w+\n.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
