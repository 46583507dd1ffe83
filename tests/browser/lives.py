"""What the service may say of an account: balances, days, sessions. For states that are hard to come by."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tests.browser.visitor import Visitor

HOSTILE: Final = "<img src=x onerror=alert(1)>" + "w" * 300
"""Shown as text wherever it comes up, and breaks no layout."""


def balance(left: int, held: int = 0, frozen: int = 0) -> dict[str, int]:
    return {
        "seconds_remaining": left,
        "minutes_remaining": max(0, left // 60),
        "seconds_held": held,
        "seconds_frozen": frozen,
    }


def session(number: int, reason: str | None = "client_stop", **more: Any) -> dict[str, Any]:
    """One that began so many hours ago, and is live without a reason."""
    began = datetime.now(UTC) - timedelta(hours=number)
    return {
        "id": str(UUID(int=number)),
        "started_at": began.isoformat(),
        "ended_at": None if reason is None else (began + timedelta(seconds=754)).isoformat(),
        "seconds_used": 754,
        "audio_seconds": None if reason is None else 753.4,
        "model": "nova-2",
        "status": "active" if reason is None else "completed",
        "reason": reason,
        **more,
    }


def days(**used: int) -> list[dict[str, Any]]:
    """The last thirty; `d0=60`: a minute today, `d3=60`: three days ago. Something was bought 20 days ago."""
    today = datetime.now(UTC).date()
    return [
        {
            "date": (today - timedelta(days=ago)).isoformat(),
            "seconds_used": used.get(f"d{ago}", 0),
            "seconds_purchased": 30000 if ago == 20 else 0,
            "seconds_adjusted": -60 if ago == 5 else 0,
        }
        for ago in range(29, -1, -1)
    ]


async def live(
    visitor: Visitor,
    left: dict[str, int],
    *,
    sessions: list[dict[str, Any]] | None = None,
    live: list[dict[str, Any]] | None = None,
    used: dict[str, int] | None = None,
) -> None:
    """From now on the service says this of the visitor."""
    await visitor.answer("/billing/balance", left)
    await visitor.answer("/account/sessions", {"sessions": live or []})
    await visitor.answer("/account/usage", {"days": days(**(used or {})), "sessions": sessions or []})
