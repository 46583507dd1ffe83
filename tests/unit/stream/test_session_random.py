"""Any interleaving of client, upstream, ledger and clock: the checks of world.py never fail, and each session ends with
a reason."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.unit.stream.world import MIB, World
from transcription_proxy.stream import endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_wire.codes import Reason

CONFIGS: list[dict[str, Any]] = [
    {"encoding": "mulaw", "sample_rate": 8000},
    {"sample_rate": 8000, "language": "multi"},
    {"encoding": "alaw", "sample_rate": 11_025, "diarize": True, "keyterm": "a"},
    {"sample_rate": 8000, "channels": 2, "multichannel": True},
    {"sample_rate": 8000, "channels": 3},
]
CODES = st.sampled_from([None, 1000, 1011, 1011, 1011, 1008])
REFUSALS = st.sampled_from([None, None, 500, 503, 400, 401, 429])
SECONDS = st.one_of(st.floats(0.001, 2), st.sampled_from([0.1, 1.0, 4.0, 5.0, 10.0, 15.0, 20.0]))
CHANNELS = st.integers(0, 1)
SELDOM = st.sampled_from([False] * 5 + [True])
ENDINGS = st.sampled_from([None, Reason.REPLACED, Reason.ENDED_BY_OPERATOR, Reason.INSUFFICIENT_CREDITS])
MUTTERS = st.sampled_from(
    [ev.UpstreamSentText(b"?"), ev.UpstreamSentText(b'{"type":"UtteranceEnd"}'), ev.UpstreamPonged()]
)

BEGINNINGS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "config": st.sampled_from(CONFIGS),
        "grant": st.sampled_from([45, 45, 20, 3]),
        "remaining": st.sampled_from([100_000, 100_000, 300, 40]),
        "honest": st.booleans(),
        "opened": st.sampled_from([True, True, True, False]),
    }
)


def live(self: "Sessions") -> bool:
    return self.world.connection is not None


def asking(self: "Sessions") -> bool:
    return self.world.pending is not None


def dialling(self: "Sessions") -> bool:
    return self.world.dialling


def listening(self: "Sessions") -> bool:
    return self.world.present and not self.world.closed


class Sessions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world: World

    @initialize(beginning=BEGINNINGS)
    def first(self, beginning: dict[str, Any]) -> None:
        self.begin(**beginning)

    def begin(self, config: dict[str, Any], grant: int, remaining: int, honest: bool, opened: bool) -> None:
        self.world = World(config, grant, remaining, 900.0, honest and "multichannel" not in config)
        if opened:
            self.world.tell(self.world.opening())

    @precondition(lambda self: self.world.over)
    @rule(beginning=BEGINNINGS)
    def another(self, beginning: dict[str, Any]) -> None:
        """Begin another session after the last one is over."""
        self.has_ended_well()
        self.begin(**beginning)

    # The client

    @precondition(listening)
    @rule(seconds=st.sampled_from([0.1, 0.1, 1.0, 4.0, 9.0]), count=st.integers(1, 12))
    def streams(self, seconds: float, count: int) -> None:
        """Send audio in real time while the client is read, with Results each time."""
        world = self.world
        for _ in range(count):
            world.wait(seconds)
            if not world.paused and listening(self):
                world.frame(world.audio.bytes_in(round(seconds * 1000)))
            if world.connection is not None:
                world.says(0, world.clock_ms, final=False, text="")

    @precondition(listening)
    @rule(nbytes=st.sampled_from([0, 1, 2, 3, 5, 160, 3333, 80_000, 200_000, MIB]))
    def sends(self, nbytes: int) -> None:
        world = self.world
        if world.paused:
            nbytes = max(0, min(nbytes, 4096 - world.in_flight))
        world.frame(nbytes)

    @precondition(listening)
    @rule(kind=st.sampled_from(["finalize", "finalize", "keepalive", "auth", "nonsense"]))
    def says(self, kind: str) -> None:
        self.world.says_to_us(kind)

    @precondition(listening)
    @rule(really=SELDOM)
    def stops(self, really: bool) -> None:
        if really:
            self.world.says_to_us("stop")

    @precondition(listening)
    @rule(reads=st.sampled_from([True, True, False]))
    def reads(self, reads: bool) -> None:
        self.world.tell(ev.ClientRecovered() if reads else ev.ClientStalled())

    @precondition(lambda self: self.world.present)
    @rule(really=SELDOM)
    def leaves(self, really: bool) -> None:
        if really:
            self.world.present = False
            self.world.tell(ev.ClientLost())

    # The upstream

    @precondition(dialling)
    @rule()
    def opens(self) -> None:
        self.world.tell(self.world.opening())

    @precondition(dialling)
    @rule(status=REFUSALS)
    def refuses(self, status: int | None) -> None:
        self.world.dialling = False
        self.world.tell(ev.UpstreamRefused(status, "no"))

    @precondition(dialling)
    @rule(code=CODES)
    def dies_before_its_opening_is_told(self, code: int | None) -> None:
        self.world.dialling = False
        self.world.tell(ev.UpstreamLost(code), ev.UpstreamOpened("dead"))

    @precondition(live)
    @rule(code=CODES)
    def dies(self, code: int | None) -> None:
        self.world.connection = None
        self.world.tell(ev.UpstreamLost(code))

    @precondition(live)
    @rule(frames=st.integers(0, 30))
    def blinks(self, frames: int) -> None:
        """Lose the upstream, and open another one at once, which the client must not notice."""
        world = self.world
        self.dies(1011)
        for _ in range(frames):
            world.wait(0.1)
            if listening(self) and not world.paused:
                world.frame(world.audio.bytes_in(100))
        if world.dialling:
            self.opens()

    @precondition(live)
    @rule(reads=st.booleans())
    def upstream_reads(self, reads: bool) -> None:
        self.world.tell(ev.UpstreamRecovered() if reads else ev.UpstreamStalled())

    @precondition(lambda self: live(self) and not self.world.honest)
    @rule(
        start=st.integers(0, 70_000),
        duration=st.integers(0, 70_000),
        final=st.booleans(),
        text=st.sampled_from(["", "word"]),
        channel=CHANNELS,
    )
    def talks(self, start: int, duration: int, final: bool, text: str, channel: int) -> None:
        """Send Results with nonsensical times."""
        self.world.says(start, duration, final=final, text=text, channel=channel % len(self.world.finals_ms))

    @precondition(live)
    @rule(share=st.sampled_from([0.3, 0.9, 1.0, 1.0]), final=st.sampled_from([True, True, False]), channel=CHANNELS)
    def understands(self, share: float, final: bool, channel: int) -> None:
        """Send words for some of the audio that is not final."""
        world, connection = self.world, self.world.connection
        assert connection is not None
        duration = round((world.clock_ms - connection.said_ms) * share)
        if duration >= 50:
            begin = connection.said_ms
            if final:
                connection.said_ms += duration
            world.says(begin, duration, final=final, text="word", channel=channel % len(world.finals_ms))

    @precondition(live)
    @rule(how=MUTTERS)
    def mutters(self, how: ev.Event) -> None:
        self.world.tell(how)

    @precondition(live)
    @rule(share=st.sampled_from([0.0, 0.5, 1.0, 1.0, 3.0]))
    def reports(self, share: float) -> None:
        self.world.reports(round(self.world.clock_ms * share))

    # The ledger

    @precondition(asking)
    @rule()
    def settles(self) -> None:
        self.world.tell(self.world.settled())

    @precondition(asking)
    @rule(booked=st.booleans())
    def fails_to_settle(self, booked: bool) -> None:
        self.world.tell(self.world.unsettled(booked=booked))

    @precondition(asking)
    @rule(ending=ENDINGS, blocked=st.booleans(), gone=st.booleans(), really=SELDOM)
    def is_told_to_end(self, ending: Reason | None, blocked: bool, gone: bool, really: bool) -> None:
        if really:
            self.world.tell(self.world.settled(ending=ending, blocked=blocked, gone=gone))

    @rule(bought=st.sampled_from([0, 1, 100]), elsewhere=st.sampled_from([0, 0, 0, 50, 100_000]))
    def trades(self, bought: int, elsewhere: int) -> None:
        """Buy credit, or let the user's other sessions take or free some."""
        self.world.ledger.remaining += bought
        self.world.ledger.elsewhere = elsewhere

    @precondition(lambda self: self.world.closing is not None and not self.world.over)
    @rule()
    def commits(self) -> None:
        self.world.tell(self.world.commits())

    # The rest of the world

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(seconds=SECONDS)
    def the_process_sleeps(self, seconds: float) -> None:
        """Let time pass without handling TimePassed."""
        self.world.now += seconds

    @rule(prompt=st.sampled_from([True, True, False]), eager=st.sampled_from([True, True, False]))
    def moods(self, prompt: bool, eager: bool) -> None:
        self.world.prompt, self.world.eager = prompt, eager

    @rule(client=SELDOM, upstream=SELDOM)
    def pulses(self, client: bool, upstream: bool) -> None:
        """Whether they stop."""
        self.world.client_pongs, self.world.upstream_pongs = not client, not upstream

    @rule(
        event=st.sampled_from([ev.DrainEnded(), ev.SessionFailed(), ev.ClientBrokeProtocol(endings.TOO_BIG)]),
        really=SELDOM,
    )
    def something_else_happens(self, event: ev.Event, really: bool) -> None:
        self.world.tell(event if really and self.world.present else ev.RowChanged())

    def has_ended_well(self) -> None:
        world = self.world
        assert world.session.deadline is None
        assert world.session.handle(ev.ClientLost(), world.now) == []
        assert isinstance(world.session.reason, Reason)
        if world.present:
            assert world.closed
            told = "session_end" in [said["type"] for said in world.told]
            assert told is (world.ready and world.session.reason is not Reason.CLIENT_GONE)

    def teardown(self) -> None:
        """Stop all input: the session must end all the same, with a reason, and be booked once."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.prompt = world.eager = world.client_pongs = world.upstream_pongs = False
        if world.dialling and world.connections == 0:
            world.dialling = False
            world.tell(ev.UpstreamRefused())
        world.wait(120)
        if not world.over:
            assert world.session.phase is Phase.CLOSING
            world.tell(world.commits())
        assert world.over
        self.has_ended_well()


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=250, stateful_step_count=60, deadline=None)
