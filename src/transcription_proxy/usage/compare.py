"""Compares sessions with the upstream's report of its requests. Pure: no clock, no network, no database.

A request belongs to the session that recorded its id. One that no session recorded, because the process died before it
booked the end, belongs to the session whose id is its tag. A connection that was lost may have been sent more than the
upstream got, so any length from what its Results reach to what was sent is right."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from transcription_proxy.ledger.entries import UpstreamSession
from transcription_proxy.values import UpstreamConnection

ROUNDING_MS: Final = 50
"""Two figures for one stretch of audio may differ by this many milliseconds."""
BILLED_ROUNDING_MS: Final = 100
"""The length of a session's billed audio is kept with one decimal."""
REPORT_DELAY: Final = timedelta(minutes=10)
"""A request appears in Deepgram's report seconds or minutes after its end."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request in the upstream's report. `duration_ms`: the audio that it metered, None if the report has no figure.

    `sessions`: the ids in its tags, beginning with the one that the service added."""

    id: str
    duration_ms: int | None
    sessions: tuple[UUID, ...] = ()


class Kind(StrEnum):
    """How session and report differ."""

    DURATION = "duration"
    """Both know the request, and its length differs."""
    UNKNOWN_UPSTREAM = "unknown_upstream"
    """A session recorded the request, and the report does not have it."""
    NOT_RECORDED = "not_recorded"
    """The request has the tag of a session that recorded other requests only."""
    UNKNOWN_HERE = "unknown_here"
    """The request has the tag of a session, and there is no such session."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`here_ms`, `upstream_ms`: the length on each side in milliseconds, None where that side has no figure."""

    kind: Kind
    session_id: UUID
    request_id: str | None
    here_ms: int | None
    upstream_ms: int | None


@dataclass(slots=True)
class Comparison:
    """The result. `pending`: requests that ended too recently to be in the report. Lengths are milliseconds.

    `upstream_ms`, `sent_ms`: the sums of the compared requests and connections; `billed_ms`: of their sessions."""

    sessions: int = 0
    requests: int = 0
    pending: int = 0
    upstream_ms: int = 0
    sent_ms: int = 0
    billed_ms: int = 0
    differences: list[Difference] = field(default_factory=list)


def recorded_ids(sessions: Iterable[UpstreamSession]) -> set[str]:
    """Return the ids of the requests that sessions recorded."""
    return {one.request_id for session in sessions for one in session.connections if one.request_id is not None}


def compare(
    sessions: Iterable[UpstreamSession], requests: Mapping[str, Request], since: datetime, now: datetime
) -> Comparison:
    """Compare the sessions that began since a moment and have ended. Other sessions only tell which requests are known.

    `requests`: by their ids."""
    known = {session.id: session for session in sessions}
    recorded = recorded_ids(known.values())
    found = Comparison()
    tagged: defaultdict[UUID, list[Request]] = defaultdict(list)
    for request in requests.values():
        if request.id not in recorded and request.sessions:
            owner = next((one for one in request.sessions if one in known), None)
            if owner is None:
                _add_unknown(found, request)
            else:
                tagged[owner].append(request)
    for session in known.values():
        if session.ended_at is not None and session.started_at >= since:
            is_recent = session.ended_at > now - REPORT_DELAY
            _compare(found, session, requests, tagged[session.id], is_recent)
    return found


def _add_unknown(found: Comparison, request: Request) -> None:
    found.requests += 1
    found.upstream_ms += request.duration_ms or 0
    found.differences.append(Difference(Kind.UNKNOWN_HERE, request.sessions[0], request.id, None, request.duration_ms))


def _compare(
    found: Comparison,
    session: UpstreamSession,
    requests: Mapping[str, Request],
    tagged: list[Request],
    is_recent: bool,
) -> None:
    """Add a session and its requests. `tagged`: those that no session recorded."""
    found.sessions += 1
    found.billed_ms += _billed_ms(session)
    for connection in session.connections:
        _compare_connection(found, session, connection, requests.get(connection.request_id or ""), is_recent)
    found.requests += len(tagged)
    found.upstream_ms += sum(request.duration_ms or 0 for request in tagged)
    if all(connection.request_id is None for connection in session.connections):
        _compare_whole(found, session, tagged, is_recent)
    else:
        found.differences += [
            Difference(Kind.NOT_RECORDED, session.id, request.id, None, request.duration_ms)
            for request in tagged
            if request.duration_ms != 0
        ]


def _compare_connection(
    found: Comparison, session: UpstreamSession, connection: UpstreamConnection, request: Request | None, recent: bool
) -> None:
    here = connection.sent_ms if connection.reported_ms is None else connection.reported_ms
    found.sent_ms += (connection.sent_ms if connection.sent_ms is not None else here) or 0
    if connection.request_id is None:
        return
    if request is None:
        if recent:
            found.pending += 1
        else:
            kind = Kind.UNKNOWN_UPSTREAM
            found.differences.append(Difference(kind, session.id, connection.request_id, here, None))
        return
    found.requests += 1
    found.upstream_ms += request.duration_ms or 0
    least = here if connection.reported_ms is not None else min(connection.heard_ms, here or 0)
    if not _is_between(request.duration_ms or 0, least or 0, here or 0, session.channels, ROUNDING_MS):
        found.differences.append(Difference(Kind.DURATION, session.id, request.id, here, request.duration_ms))


def _compare_whole(found: Comparison, session: UpstreamSession, tagged: list[Request], is_recent: bool) -> None:
    """Compare a session that knows no request's id with all requests that have its tag."""
    billed = _billed_ms(session)
    if not tagged and billed:
        if is_recent:
            found.pending += 1
        else:
            found.differences.append(Difference(Kind.UNKNOWN_UPSTREAM, session.id, None, billed, None))
    elif tagged:
        metered = sum(request.duration_ms or 0 for request in tagged)
        if not _is_between(metered, billed, billed, session.channels, BILLED_ROUNDING_MS):
            name = tagged[0].id if len(tagged) == 1 else None
            found.differences.append(Difference(Kind.DURATION, session.id, name, billed, metered))


def _is_between(upstream: int, least: int, most: int, channels: int, rounding: int) -> bool:
    """Return whether a length may be right. Deepgram does not say whether it counts separate channels in a length."""
    return any((least - rounding) * times <= upstream <= (most + rounding) * times for times in {1, channels})


def _billed_ms(session: UpstreamSession) -> int:
    return int(session.audio_seconds * 1000)
