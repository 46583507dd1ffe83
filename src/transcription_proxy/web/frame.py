"""The frame that all our pages stand in. A page's own file is HTML without it: its head, and its <main>."""

import re
from pathlib import Path
from typing import Final

HTML: Final = Path(__file__).parent / "html"
_FRAME: Final = (HTML / "frame.html").read_text()
_PAGE: Final = re.compile(r"(<html[^>]*>)\s*<head>\s*(.*?)\s*</head>\s*(<main.*</main>)\s*</html>\s*", re.DOTALL)


def framed(page: str, path: str = "") -> str:
    """The whole page. `path`: where it is, which its link in the header says of itself."""
    own = _PAGE.fullmatch(page)
    assert own is not None
    parts = iter(own.groups())
    frame = _FRAME.replace(f'<a href="{path}">', f'<a href="{path}" aria-current="page">')
    return re.sub("<!-- own -->", lambda _: next(parts), frame)
