"""Made-up answers of the service about an account, for states that are hard to reach."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from playwright.async_api import Route

from tests.browser.visitor import Visitor

HOSTILE: Final = "<img src=x onerror=alert(1)>" + "w" * 300
"""Must be shown as text everywhere, and must not break a layout."""


def balance(left: int, held: int = 0, frozen: int = 0, low: int = 600) -> dict[str, int]:
    return {
        "seconds_remaining": left,
        "minutes_remaining": max(0, left // 60),
        "seconds_held": held,
        "seconds_frozen": frozen,
        "low_at_seconds": low,
    }


def session(number: int, reason: str | None = "client_stop", **more: Any) -> dict[str, Any]:
    """Return a session that began `number` hours ago. Without a reason it is live."""
    began = datetime.now(UTC) - timedelta(hours=number)
    return {
        "id": str(UUID(int=number)),
        "started_at": began.isoformat(),
        "ended_at": None if reason is None else (began + timedelta(seconds=754)).isoformat(),
        "seconds_used": 754,
        "audio_seconds": None if reason is None else 753.4,
        "model": "nova-2",
        "engine": "Deepgram Nova-2",
        "status": "active" if reason is None else "completed",
        "reason": reason,
        **more,
    }


def days(count: int = 30, **used: int) -> list[dict[str, Any]]:
    """Return the last days. `d0=60`: a minute today; `d3=60`: three days ago. A purchase was 20 days ago."""
    today = datetime.now(UTC).date()
    return [
        {
            "date": (today - timedelta(days=ago)).isoformat(),
            "seconds_used": used.get(f"d{ago}", 0),
            "seconds_purchased": 30000 if ago == 20 else 0,
            "seconds_adjusted": -60 if ago == 5 else 0,
        }
        for ago in range(count - 1, -1, -1)
    ]


def usage(count: int, used: dict[str, int], sessions: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the usage of `count` days, with a session and three dollars for each used day."""
    found = days(count, **used)
    live = sum(day["seconds_used"] > 0 for day in found)
    totals = {name: sum(day[name] for day in found) for name in found[0] if name != "date"}
    return {
        "days": found,
        "totals": {**totals, "sessions": live, "spent_cents": 300 * live, "currency": "usd"},
        "sessions": sessions,
    }


async def live(
    visitor: Visitor,
    left: dict[str, int],
    *,
    sessions: list[dict[str, Any]] | None = None,
    live: list[dict[str, Any]] | None = None,
    used: dict[str, int] | None = None,
) -> None:
    """Answer the visitor's requests with this account from now on."""
    await visitor.answer("/billing/balance", left)
    await visitor.answer("/account/sessions", {"sessions": live or []})

    async def answer(route: Route) -> None:
        count = int(parse_qs(urlsplit(route.request.url).query).get("days", ["30"])[0])
        await route.fulfill(json=usage(count, used or {}, sessions or []))

    await visitor.context.route(lambda url: urlsplit(url).path == "/account/usage", answer)
