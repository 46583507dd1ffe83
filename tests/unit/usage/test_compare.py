from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from transcription_proxy.ledger.entries import UpstreamSession
from transcription_proxy.usage.compare import Comparison, Difference, Kind, Request, compare
from transcription_proxy.values import UpstreamConnection

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=7)
ONE, TWO = UUID(int=1), UUID(int=2)


def session(
    *connections: UpstreamConnection,
    id: UUID = ONE,
    audio: str = "10.0",
    channels: int = 1,
    started: timedelta = timedelta(hours=2),
    ended: timedelta | None = timedelta(hours=1),
) -> UpstreamSession:
    ended_at = None if ended is None else NOW - ended
    return UpstreamSession(id, UUID(int=9), NOW - started, ended_at, Decimal(audio), channels, (), connections)


def sent(request_id: str | None, milliseconds: int, reported: int | None = None) -> UpstreamConnection:
    return UpstreamConnection(request_id, milliseconds, milliseconds, reported, milliseconds)


def compared(sessions: list[UpstreamSession], *requests: Request) -> Comparison:
    return compare(sessions, {request.id: request for request in requests}, SINCE, NOW)


def test_sessions_and_requests_that_agree_are_counted_and_added_up() -> None:
    found = compared(
        [session(sent("a", 8000), sent("b", 4000, 3990)), session(sent("c", 2000), id=TWO, audio="1.5")],
        Request("a", 8000, (ONE,)),
        Request("b", 3990, (ONE,)),
        Request("c", 2000, (TWO,)),
        Request("of another program", 99_000),
    )
    assert found == Comparison(sessions=2, requests=3, upstream_ms=13_990, sent_ms=14_000, billed_ms=11_500)


@pytest.mark.parametrize(("upstream", "differs"), [(10_050, False), (9950, False), (10_051, True), (0, True)])
def test_a_length_may_differ_by_its_rounding_only(upstream: int, differs: bool) -> None:
    found = compared([session(sent("a", 10_000))], Request("a", upstream, (ONE,)))
    difference = Difference(Kind.DURATION, ONE, "a", 10_000, upstream)
    assert found.differences == ([difference] if differs else [])


@pytest.mark.parametrize(("upstream", "differs"), [(6949, True), (6950, False), (10_050, False), (10_051, True)])
def test_a_lost_connection_may_have_got_less_than_was_sent_but_not_less_than_it_heard(
    upstream: int, differs: bool
) -> None:
    lost = UpstreamConnection("a", 10_000, 10_000, heard_ms=7000)
    assert bool(compared([session(lost)], Request("a", upstream, (ONE,))).differences) is differs


def test_what_the_upstream_reported_on_the_stream_is_compared_rather_than_what_was_sent() -> None:
    assert compared([session(sent("a", 10_000, 7000))], Request("a", 7000, (ONE,))).differences == []
    [difference] = compared([session(sent("a", 10_000, 7000))], Request("a", 10_000, (ONE,))).differences
    assert (difference.here_ms, difference.upstream_ms) == (7000, 10_000)


@pytest.mark.parametrize("upstream", [10_000, 20_000])
def test_separate_channels_may_be_counted_in_the_length(upstream: int) -> None:
    assert compared([session(sent("a", 10_000), channels=2)], Request("a", upstream, (ONE,))).differences == []
    assert len(compared([session(sent("a", 10_000), channels=3)], Request("a", 20_000, (ONE,))).differences) == 1


def test_a_request_without_a_figure_differs_from_one_that_had_audio() -> None:
    assert compared([session(sent("a", 0))], Request("a", None, (ONE,))).differences == []
    [difference] = compared([session(sent("a", 9000))], Request("a", None, (ONE,))).differences
    assert (difference.kind, difference.upstream_ms) == (Kind.DURATION, None)


def test_a_request_that_the_report_lacks_is_a_difference_once_it_should_be_there() -> None:
    recent = timedelta(minutes=9)
    found = compared([session(sent("a", 1000)), session(sent("b", 1000), id=TWO, ended=recent)])
    assert found.differences == [Difference(Kind.UNKNOWN_UPSTREAM, ONE, "a", 1000, None)]
    assert found.pending == 1


def test_a_tagged_request_of_no_session_is_a_difference() -> None:
    found = compared([], Request("a", 3000, (ONE,)))
    assert found.differences == [Difference(Kind.UNKNOWN_HERE, ONE, "a", None, 3000)]
    assert (found.requests, found.upstream_ms) == (1, 3000)


def test_a_request_that_a_session_did_not_record_is_a_difference_unless_it_is_empty() -> None:
    one = session(sent("a", 1000))
    found = compared([one], Request("a", 1000, (ONE,)), Request("b", 2000, (ONE,)), Request("c", 0, (ONE,)))
    assert found.differences == [Difference(Kind.NOT_RECORDED, ONE, "b", None, 2000)]
    assert (found.requests, found.upstream_ms) == (3, 3000)


def test_a_clients_own_tag_names_nobody_elses_session() -> None:
    """A client may tag its request with the id of another session. The request's own id comes first."""
    sessions = [session(sent("a", 1000)), session(sent("b", 2000), id=TWO)]
    assert compared(sessions, Request("a", 1000, (ONE, TWO)), Request("b", 2000, (TWO,))).differences == []


@pytest.mark.parametrize("connections", [(), (sent(None, 9000),)])
def test_a_session_that_knows_no_id_is_compared_whole_by_its_tag(connections: tuple[UpstreamConnection, ...]) -> None:
    crashed = session(*connections, audio="10.0")
    assert compared([crashed], Request("a", 6000, (ONE,)), Request("b", 4050, (ONE,))).differences == []
    assert compared([crashed], Request("a", 14_000, (ONE,))).differences == [
        Difference(Kind.DURATION, ONE, "a", 10_000, 14_000)
    ]
    assert compared([crashed]).differences == [Difference(Kind.UNKNOWN_UPSTREAM, ONE, None, 10_000, None)]


def test_a_session_that_never_began_lacks_nothing() -> None:
    assert compared([session(audio="0.0")]) == Comparison(sessions=1)
    assert compared([session(sent(None, 0), audio="0.0", ended=timedelta(minutes=1))]).pending == 0


def test_live_and_older_sessions_are_known_but_not_compared() -> None:
    live = session(ended=None)
    older = session(sent("a", 1000), id=TWO, started=timedelta(days=8))
    found = compared([live, older], Request("x", 500, (ONE,)), Request("a", 9000, (TWO,)), Request("y", 1, (TWO,)))
    assert found == Comparison()


def test_a_refused_recording_has_no_length_here() -> None:
    refused = UpstreamConnection("a", 1200, None)
    assert compared([session(refused, audio="0.0")], Request("a", 0, (ONE,))).differences == []
    [difference] = compared([session(refused, audio="0.0")], Request("a", 60_000, (ONE,))).differences
    assert (difference.here_ms, difference.upstream_ms) == (None, 60_000)
