"""Reads both sides of a reconciliation and compares them: the sessions, and the upstream's report of its requests."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from transcription_proxy.db.pool import Database
from transcription_proxy.ledger.entries import UpstreamSession
from transcription_proxy.ledger.upstream_sessions import upstream_sessions
from transcription_proxy.usage.compare import REPORT_DELAY, Comparison, Request, compare, recorded_ids
from transcription_proxy.usage.gateway import UsageReport

MARGIN: Final = timedelta(hours=1)
"""The report is read from this long before the first session: a dial comes before the session's start, and clocks
differ."""
MAX_LOOKUPS: Final = 100
"""Requests missing from the list that are asked for one by one."""


async def reconcile(database: Database, report: UsageReport, since: datetime, now: datetime) -> Comparison:
    """Compare the sessions that began since a moment with the report. Raise ReportFailed, NoReport, Unavailable."""
    projects = await report.projects()
    requests: dict[str, Request] = {}
    for project in projects:
        requests |= {one.id: one async for one in report.requests(project, since - MARGIN, now)}
    ids = {session for request in requests.values() for session in request.sessions}
    sessions = await upstream_sessions(database, since, list(ids))
    for request_id in _missing(sessions, requests, since, now)[:MAX_LOOKUPS]:
        for project in projects:
            if (found := await report.request(project, request_id)) is not None:
                requests[request_id] = found
    return compare(sessions, requests, since, now)


def _missing(
    sessions: Sequence[UpstreamSession], requests: dict[str, Request], since: datetime, now: datetime
) -> list[str]:
    """Return the ids of requests that should be in the list and are not."""
    due = [
        one
        for one in sessions
        if one.started_at >= since and one.ended_at is not None and one.ended_at <= now - REPORT_DELAY
    ]
    return sorted(recorded_ids(due) - requests.keys())
