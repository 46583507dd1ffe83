"""Random histories of a pass-through session: nothing passes that is not paid, and each end is billed once."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.stream.deepgram_client import RAW, SECOND, Played
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_wire.codes import Reason

SECONDS = st.sampled_from([0.02, 0.1, 0.5, 1.0, 3.0, 12.0])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), SECONDS),
        st.tuples(st.just("wait"), SECONDS),
        st.tuples(st.just("hear"), st.just(0.0)),
        st.tuples(st.just("grant"), st.integers(0, 10)),
        st.tuples(st.just("fail"), st.just(0.0)),
        st.tuples(st.just("stall"), st.booleans()),
        st.tuples(st.just("text"), st.sampled_from(["KeepAlive", "Finalize", "Configure"])),
        st.tuples(st.just("row"), st.sampled_from([None, None, Reason.SIGNED_OUT])),
        st.tuples(
            st.just("end"),
            st.sampled_from(
                [
                    ev.ClientLost(),
                    ev.ClientLost(1000, b""),
                    ev.UpstreamLost(),
                    ev.UpstreamLost(1011, b"x"),
                    "CloseStream",
                ]
            ),
        ),
        st.tuples(st.just("end"), st.sampled_from([ev.DrainEnded(), ev.SessionFailed(), ev.ClientStalled()])),
    ),
    max_size=40,
)


class History(Played):
    """Checks after every step that what went upstream is what the client sent, and that it is covered."""

    def __init__(self, query: str, grant: int) -> None:
        super().__init__(query, grant=grant)
        self.is_raw = "encoding" in query
        self.sent = self.passed = 0

    def step(self, kind: str, value: Any) -> None:  # noqa: C901 - one ladder
        before = len(self.done)
        match kind:
            case "send" if not self.is_paused:
                self.sent += round(value * 16000) * 2
                self.passed += self.send(value)
            case "wait":
                self.wait(value)
            case "hear":
                self.hear(self.passed / SECOND)
            case "grant" if self.session.credit.is_settling:
                self.answer(max(self.grant, self.all(ev.Settle)[-1].settlement.total) + value)
            case "fail":
                self.tell(ev.SettleFailed())
            case "stall":
                self.tell(ev.UpstreamStalled() if value else ev.UpstreamRecovered())
            case "text":
                self.ask(value, **({"keyterms": ["a"]} if value == "Configure" else {}))
            case "row":
                self.tell(ev.RowChanged())
                if value is not None and self.session.credit.is_settling:
                    self.answer(ending=value)
            case "end":
                self.ask(value) if isinstance(value, str) else self.tell(value)
        self.check(self.done[before:])

    @property
    def is_paused(self) -> bool:
        return [a for a in self.done if isinstance(a, ev.PauseClient | ev.ResumeClient)][-1:] == [ev.PauseClient()]

    def check(self, actions: list[ev.Action]) -> None:
        self.passed += sum(len(action.data) for action in actions if isinstance(action, ev.SendAudio))
        assert self.passed <= self.sent
        credit = self.session.credit
        assert credit.total <= credit.grant
        if self.is_raw:
            assert credit.forwarded == self.passed
        assert len(self.all(ev.Close)) <= 1
        self.check_timers()

    def check_timers(self) -> None:
        """Check that no timer stays due once time has passed: the relay would ring it for ever."""
        if self.is_due:
            self.tell(ev.TimePassed())
        assert not self.is_due

    @property
    def is_due(self) -> bool:
        at = self.session.deadline
        return at is not None and at <= self.now

    def finish(self) -> None:
        """Let the session come to its end."""
        if self.session.phase in (Phase.DIALLING, Phase.LIVE):
            self.step("end", ev.ClientLost())
        self.wait(60)
        self.commit()
        assert self.done[-1] == ev.Finish()
        assert self.closing.total <= max(self.grant, self.session.credit.grant)
        assert len(self.all(ev.CloseClient)) + len(self.all(ev.RefuseClient)) <= 1
        assert self.session.handle(ev.TimePassed(), self.now) == []


@settings(deadline=None)
@given(st.sampled_from([RAW, "model=nova-3", RAW + "&keyterm=b"]), st.integers(1, 45), STEPS)
def test_every_history_is_covered_and_billed_once(query: str, grant: int, steps: list[tuple[str, Any]]) -> None:
    history = History(query, grant)
    history.tell(ev.UpstreamOpened("id"))
    for kind, value in steps:
        history.step(kind, value)
    history.finish()
