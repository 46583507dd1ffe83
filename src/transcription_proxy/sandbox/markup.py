"""HTML whose holes are filled with escaped text, and the frame of every page. Pure."""

import html
from collections.abc import Iterable
from datetime import UTC, datetime


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(template: str, *values: object, **named: object) -> Html:
    """str.format, with everything escaped that is not Html."""
    return Html(template.format(*map(_safe, values), **{name: _safe(value) for name, value in named.items()}))


def joined(parts: Iterable[Html]) -> Html:
    return Html("".join(parts))


def when(moment: float) -> Html:
    at = datetime.fromtimestamp(moment, UTC)
    return tag('<time datetime="{:}">{:}</time>', at.isoformat(), f"{at:%d %b %Y, %H:%M:%S} UTC")


def page(root: str, title: str, body: Html) -> Html:
    """`root`: what the paths of all pages begin with."""
    return tag(FRAME, root=root, title=title, body=body)


def _safe(value: object) -> str:
    return value if isinstance(value, Html) else html.escape(str(value))


FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<link rel="icon" href="{root}/static/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{root}/static/sandbox.css">
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<p class="banner"><strong>Sandbox</strong> <span>This is not Stripe. No card needed, no money moves.</span></p>
<main id="main">{body}</main>
</body>
</html>
"""
